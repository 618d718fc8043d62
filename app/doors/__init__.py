"""Ways in besides the websocket and REST: `kafka.KafkaFeed` reads topics."""
