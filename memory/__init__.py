"""What is worth remembering of a conversation. Front door: `window.fit`."""
