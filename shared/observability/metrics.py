"""The metrics of all services. No integration, device or account in a label: their number has no bound."""

from prometheus_client import Counter, Gauge, Histogram

MESSAGES = Counter("lifecycle_messages_total", "Messages by what became of them", ["queue", "outcome"])
DEVICES = Counter(
    "lifecycle_devices_total",
    "Devices by what became of them: created, updated, unchanged, rejected, repeated",
    ["outcome"],
)
REQUESTS = Counter(
    "lifecycle_rmm_requests_total",
    "Requests to an RMM by what became of them: done, or the code of the error",
    ["kind", "outcome"],
)
QUOTA_WAITS = Counter("lifecycle_quota_waits_total", "Times a request had to wait for the budget", ["priority"])
BACKPRESSURE_SECONDS = Histogram(
    "lifecycle_backpressure_seconds", "How long a page waited for the writer", buckets=(0.01, 0.1, 0.5, 1, 2, 5, 10, 20)
)
CHUNK_SECONDS = Histogram(
    "lifecycle_chunk_write_seconds", "Time to write one chunk", buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)
)
RUNS = Counter(
    "lifecycle_sync_runs_total", "Runs by how they ended in a service; the command counts nothing", ["status"]
)
DATES_DEVICES = Gauge("lifecycle_dates_devices", "Devices of which the dates are to be read")
DATES_FRESH = Gauge("lifecycle_dates_fresh_devices", "Devices of which the dates were read within the target freshness")
OUTBOX_AGE = Gauge("lifecycle_outbox_oldest_seconds", "Age of the oldest event that is not published yet")
PARKED = Gauge("lifecycle_parked_messages", "Messages that wait for a person")
