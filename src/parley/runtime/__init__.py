"""One session's tasks, queues and stores around the pure machine."""
