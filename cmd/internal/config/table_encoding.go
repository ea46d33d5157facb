package config

import "math"

// Encodings say how collections are represented: how large they may become
// before they are indexed, and in what portions lists and streams are kept.
type Encodings struct {
	HashMaxListpackEntries int
	HashMaxListpackValue   int64 // bytes
	SetMaxIntsetEntries    int
	SetMaxListpackEntries  int
	SetMaxListpackValue    int64 // bytes
	ZSetMaxListpackEntries int
	ZSetMaxListpackValue   int64 // bytes
	ListMaxListpackSize    int   // entries, or -1 to -5 for 4 to 64 KiB
	ListCompressDepth      int
	StreamNodeMaxBytes     int64
	StreamNodeMaxEntries   int
}

func defaultEncodings() Encodings {
	return Encodings{
		HashMaxListpackEntries: 512, HashMaxListpackValue: 64,
		SetMaxIntsetEntries: 512, SetMaxListpackEntries: 128, SetMaxListpackValue: 64,
		ZSetMaxListpackEntries: 128, ZSetMaxListpackValue: 64,
		ListMaxListpackSize: -2, StreamNodeMaxBytes: 4096, StreamNodeMaxEntries: 100,
	}
}

// EncodingDirectives are the names of the directives behind [Encodings].
func EncodingDirectives() (names []string) {
	for _, d := range encodingRows() {
		names = append(names, d.name)
	}
	return names
}

func encodingRows() []directive {
	size := func(at func(*Encodings) *int) value {
		return integer(func(c *Config) *int { return at(&c.Encodings) }, 0, maxInt64)
	}
	bytes := func(at func(*Encodings) *int64) value {
		return memory(func(c *Config) *int64 { return at(&c.Encodings) }, 0, maxInt64)
	}
	return []directive{
		{"hash-max-listpack-entries", []string{"hash-max-ziplist-entries"}, live, size(func(e *Encodings) *int { return &e.HashMaxListpackEntries }),
			"Fields up to which a hash is one packed run of bytes."},
		{"hash-max-listpack-value", []string{"hash-max-ziplist-value"}, live, bytes(func(e *Encodings) *int64 { return &e.HashMaxListpackValue }),
			"Length in bytes up to which fields and values leave a hash packed."},
		{"set-max-intset-entries", nil, live, size(func(e *Encodings) *int { return &e.SetMaxIntsetEntries }),
			"Members up to which a set of integers is a sorted array."},
		{"set-max-listpack-entries", nil, live, size(func(e *Encodings) *int { return &e.SetMaxListpackEntries }),
			"Members up to which a set is one packed run of bytes."},
		{"set-max-listpack-value", nil, live, bytes(func(e *Encodings) *int64 { return &e.SetMaxListpackValue }),
			"Length in bytes up to which members leave a set packed."},
		{"zset-max-listpack-entries", []string{"zset-max-ziplist-entries"}, live, size(func(e *Encodings) *int { return &e.ZSetMaxListpackEntries }),
			"Members up to which a sorted set is one packed run of bytes."},
		{"zset-max-listpack-value", []string{"zset-max-ziplist-value"}, live, bytes(func(e *Encodings) *int64 { return &e.ZSetMaxListpackValue }),
			"Length in bytes up to which members leave a sorted set packed."},
		{"list-max-listpack-size", []string{"list-max-ziplist-size"}, live,
			integer(func(c *Config) *int { return &c.Encodings.ListMaxListpackSize }, math.MinInt32, maxInt),
			"Size of one node of a list: entries, or 4, 8, 16, 32, 64 KiB for -1 to -5."},
		{"list-compress-depth", nil, live, integer(func(c *Config) *int { return &c.Encodings.ListCompressDepth }, 0, maxInt),
			"Nodes of lists are never compressed: all values mean the same."},
		{"stream-node-max-bytes", nil, live, bytes(func(e *Encodings) *int64 { return &e.StreamNodeMaxBytes }),
			"Size of one node of a stream; 0 is no limit."},
		{"stream-node-max-entries", nil, live, size(func(e *Encodings) *int { return &e.StreamNodeMaxEntries }),
			"Entries of one node of a stream; 0 is no limit."},
	}
}
