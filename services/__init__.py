"""The services. A service is one folder, one process, one set of queues; it never imports another service."""
