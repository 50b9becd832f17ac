"""What api and imaging send each other. Either may be one release ahead, so readers ignore what they do not know."""
