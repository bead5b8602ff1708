"""Ratings of products, aspect by aspect, from the reviews of their customers.

A stream all the way: `files.py` and its neighbours read rows, `reviews.py` makes reviews of them, `sentences.py`
divides their texts, `opinions.py` asks the network, `sums.py` adds up. What was added up becomes ratings
(`ratings.py`), and those a table, a page or a picture (`outputs.py`). `rate.py` joins all that; the command and the
server call it.
"""
