"""What holds for HTTP whoever the server is: how long it asks us to wait, and why no answer came."""
