"""Background jobs: typed arguments, queues by class of work; the only room that knows the queue's library."""
