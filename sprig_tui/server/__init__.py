"""HTTP server: connections, authentication, rejections and health endpoints."""
