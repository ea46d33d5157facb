// Package nodesconf is the cluster configuration file of Redis and Valkey:
// written after each change so that tools and an older server can read it, and
// read once, when a node of a Redis Cluster is taken over. It opens no files.
package nodesconf
