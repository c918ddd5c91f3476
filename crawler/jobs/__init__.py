"""What runs by itself, on one machine or many: the scheduler that queues crawls, the workers that do them."""
