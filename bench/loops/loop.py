"""usage: python3 loop.py count|sum ROUNDS"""
import sys


def count(n):
    while n:
        n -= 1
    return n


def total(n):
    s = 0
    for i in range(n):
        s = (s + (i ^ (s >> 3))) & 0xFFFFFFFF
    return s


rounds = int(sys.argv[2])
print("%016x" % (count(rounds) if sys.argv[1] == "count" else total(rounds)))
