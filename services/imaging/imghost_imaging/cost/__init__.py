"""What an image will cost to decode, from its header. Pure, without libvips."""
