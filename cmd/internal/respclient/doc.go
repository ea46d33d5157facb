// Package respclient is a small RESP2 client for tools and tests: one
// connection, one request at a time or a pipeline. It believes no length: what
// it reads is bounded by [MaxBulk], [MaxElements] and [MaxDepth], and memory
// grows with the bytes that arrive, not with what they announce.
//
// It is no client library: no pool, no redirections, no reconnection.
package respclient
