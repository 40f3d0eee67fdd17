"""HTTP as a server: who may come in, what is refused, an end in good order, and what monitors ask."""
