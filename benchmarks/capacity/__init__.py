"""How many machines how many sentences need: measured service times, a simulation of queues, and a table of costs."""
