"""A private broker, a private database and the services on one machine, each as its own supervised process."""
