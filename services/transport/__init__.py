"""What carries a channel's messages: a socket, a loopback for tests, and a meter around either."""
