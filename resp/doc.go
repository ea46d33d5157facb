// Package resp is the wire: a bounded, resumable parser for requests and a
// writer for RESP2 and RESP3 replies. It knows no command and opens no socket.
//
// Caveats: the argument slices a [Parser] hands out alias the bytes it was fed
// and are valid only until the next call that feeds or compacts the buffer.
package resp
