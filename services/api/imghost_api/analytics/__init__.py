"""View events, rolled up into images and days."""
