"""NATS JetStream: a connection, streams, appends and an ordered reader. It knows neither bars nor events."""
