"""Runs the scenario, see scenario/scenario.go, with redis-py, or goes through
the families of commands."""

import sys

from redis.cluster import ClusterNode, RedisCluster

import redispy_families

KEYS = range(200)


def start(client):
    pipeline = client.pipeline()
    for i in KEYS:
        pipeline.set(f"key:{i}", i)
    assert pipeline.execute() == [True] * len(KEYS)
    read_all(client)
    for tag in ("{moved}", "{ask}"):
        for i in range(10):
            assert client.set(f"{tag}{i}", i)
    transaction(client, "{tx}")


def follow(client):
    for tag in ("{moved}", "{ask}"):
        for i in range(10):
            assert client.get(f"{tag}{i}") == str(i), f"{tag}{i}"
        assert client.set(f"{tag}new", 1)
        assert client.get(f"{tag}new") == "1"
    transaction(client, "{moved}")
    read_all(client)


def read_all(client):
    pipeline = client.pipeline()
    for i in KEYS:
        pipeline.get(f"key:{i}")
    assert pipeline.execute() == [str(i) for i in KEYS]


def transaction(client, tag):
    """redis-py has no MULTI for clusters: it is sent on a node's connection."""
    node = client.get_node_from_key(f"{tag}n")
    pipeline = client.get_redis_connection(node).pipeline(transaction=True)
    pipeline.set(f"{tag}n", 7).incr(f"{tag}n").get(f"{tag}n")
    assert pipeline.execute() == [True, 8, "8"]


def main():
    if sys.argv[1] == "families":
        redispy_families.run(sys.argv[2], sys.argv[3:])
        return
    nodes = [ClusterNode(*addr.split(":")) for addr in sys.argv[1:]]
    client = RedisCluster(startup_nodes=nodes, decode_responses=True)
    start(client)
    print("started", flush=True)
    sys.stdin.readline()
    follow(client)
    print("followed", flush=True)


main()
