"""From change streams to subscribers.

One change stream a process feeds the `Hub`. A subscriber follows a `Source`, which knows the stored part, too.
Subscribers with the same request form a `Group`, which executes and encodes each event once; each of them is a
`Follower` with a place of its own in it.
"""
