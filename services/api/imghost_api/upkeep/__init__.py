"""What is done in the background: objects of deleted pictures, orphans, counters, expired rows."""
