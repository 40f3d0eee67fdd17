"""Console in a browser: its server, who may come in, and the processes that draw the screens."""
