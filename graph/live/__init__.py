"""From change streams to subscribers.

One change stream a process feeds the `Hub`. What a subscriber follows is a `Source`: it knows the stored part, too.
Subscribers with the same request form a `Group`, which executes and encodes each event once; each of them is a
`Follower` with a place of its own in it.
"""
