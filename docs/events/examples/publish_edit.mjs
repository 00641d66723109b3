// Publishes one edited date: node publish_edit.mjs SERIAL_NUMBER FIELD VALUE. Prints the id of the edit.
import amqp from "amqplib";
import { randomUUID } from "node:crypto";

const [serialNumber, field, value] = process.argv.slice(2);
const now = new Date().toISOString();
const event = {
  specversion: "1.0",
  id: randomUUID(), // keep it: sent again with the same id, it is the same edit
  source: "/acme/import",
  type: "date.edited",
  time: now,
  data: {
    account_id: process.env.LIFECYCLE_ACCOUNT_ID,
    asset: { serial_number: serialNumber },
    field,
    value,
    origin: "manual",
    actor: "acme import",
    edited_at: now,
  },
};

const connection = await amqp.connect(process.env.LIFECYCLE_AMQP_URL);
const channel = await connection.createConfirmChannel();
let returned = false;
channel.on("return", () => (returned = true)); // comes before the confirm
channel.publish("lifecycle.events", "date.edited", Buffer.from(JSON.stringify(event)), {
  contentType: "application/cloudevents+json",
  persistent: true,
  mandatory: true,
});
await channel.waitForConfirms();
await connection.close();
if (returned) throw new Error("no queue took the edit: is lifecycle-sync deployed on this broker?");
console.log(event.id);
