"""The websocket edge: `socket.Gateway` takes handshakes, `hub.Hub` shows durable events."""
