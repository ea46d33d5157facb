package config

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Persistence is how data are kept on disk.
type Persistence struct {
	SavePoints         []SavePoint
	DBFilename         string
	RDBCompression     bool
	RDBChecksum        bool
	RDBSaveIncremental bool
	StopWritesOnError  bool
	SaveKeyDelay       time.Duration
	LoadKeyDelay       time.Duration

	AppendOnly           bool
	AppendFilename       string
	AppendDirname        string
	AppendFsync          string // always, everysec, no
	NoFsyncOnRewrite     bool
	AOFRewritePercentage int
	AOFRewriteMinSize    int64
	AOFRewriteIncrement  bool
	AOFLoadTruncated     bool
	AOFPreamble          bool
	AOFTimestamps        bool

	// pointsRead: the save points of the file read so far replaced the default
	// ones; the next ones are added to them.
	pointsRead bool
}

// SavePoint asks for a snapshot after so many changes and so much time.
type SavePoint struct {
	After   time.Duration
	Changes int64
}

func defaultPersistence() Persistence {
	return Persistence{
		SavePoints: []SavePoint{{time.Hour, 1}, {300 * time.Second, 100}, {time.Minute, 10000}},
		DBFilename: "dump.rdb", RDBCompression: true, RDBChecksum: true, RDBSaveIncremental: true, StopWritesOnError: true,
		AppendFilename: "appendonly.aof", AppendDirname: "appendonlydir", AppendFsync: "everysec",
		AOFRewritePercentage: 100, AOFRewriteMinSize: 64 << 20, AOFRewriteIncrement: true, AOFLoadTruncated: true, AOFPreamble: true,
	}
}

func persistenceRows() []directive {
	p := func(at func(*Persistence) *bool) value {
		return boolean(func(c *Config) *bool { return at(&c.Persistence) })
	}
	return []directive{
		{"save", nil, live, savePoints(func(c *Config) *Persistence { return &c.Persistence }),
			"Points at which a snapshot is written: pairs of seconds and changes. One is due when both were reached since the last snapshot. Empty for none; then nothing is written at the end either, unless SHUTDOWN SAVE asks for it. Several lines add up."},
		{"dbfilename", nil, protected, text(func(c *Config) *string { return &c.Persistence.DBFilename }, plainFile),
			"File of the snapshot, in dir."},
		{"rdbcompression", nil, live, p(func(p *Persistence) *bool { return &p.RDBCompression }),
			"Compress strings in snapshots."},
		{"rdbchecksum", nil, fixed, p(func(p *Persistence) *bool { return &p.RDBChecksum }),
			"Write checksums into snapshots, and look at them when one is loaded."},
		{"rdb-save-incremental-fsync", nil, live, p(func(p *Persistence) *bool { return &p.RDBSaveIncremental }),
			"Make a snapshot durable every 4 MB while it is written, not all at once at its end."},
		{"stop-writes-on-bgsave-error", nil, live, p(func(p *Persistence) *bool { return &p.StopWritesOnError }),
			"Refuse commands that write while the last snapshot failed and there are save points."},
		{"rdb-key-save-delay", nil, live, duration(func(c *Config) *time.Duration { return &c.Persistence.SaveKeyDelay }, time.Microsecond, 0, maxInt),
			"Microseconds to wait after each key that is written to a snapshot; for tests."},
		{"key-load-delay", nil, live, duration(func(c *Config) *time.Duration { return &c.Persistence.LoadKeyDelay }, time.Microsecond, 0, maxInt),
			"Microseconds to wait for each key that is loaded; for tests."},
		{"appendonly", nil, live, p(func(p *Persistence) *bool { return &p.AppendOnly }),
			"Keep an append-only file: every change is written to it. At start it is what is loaded; where it is missing, the snapshot is."},
		{"appendfilename", nil, fixed, text(func(c *Config) *string { return &c.Persistence.AppendFilename }, plainFile),
			"First part of the names of the append-only file's parts."},
		{"appenddirname", nil, fixed, text(func(c *Config) *string { return &c.Persistence.AppendDirname }, plainFile),
			"Directory of the append-only file's parts, in dir."},
		{"appendfsync", nil, live, enum(func(c *Config) *string { return &c.Persistence.AppendFsync }, "always", "everysec", "no"),
			"When appended data are made durable: before a reply leaves (`always`), once a second (`everysec`), or when the system does it (`no`)."},
		{"no-appendfsync-on-rewrite", nil, live, p(func(p *Persistence) *bool { return &p.NoFsyncOnRewrite }),
			"With appendfsync everysec, make nothing durable while the append-only file is rewritten."},
		{"auto-aof-rewrite-percentage", nil, live, integer(func(c *Config) *int { return &c.Persistence.AOFRewritePercentage }, 0, maxInt),
			"Rewrite the append-only file when it has grown by so many percent since it was last rewritten; 0 never does."},
		{"auto-aof-rewrite-min-size", nil, live, memory(func(c *Config) *int64 { return &c.Persistence.AOFRewriteMinSize }, 0, maxInt64),
			"Size below which the append-only file isn't rewritten by itself."},
		{"aof-rewrite-incremental-fsync", nil, live, p(func(p *Persistence) *bool { return &p.AOFRewriteIncrement }),
			"Make the base of an append-only file durable every 4 MB while it is written."},
		{"aof-load-truncated", nil, live, p(func(p *Persistence) *bool { return &p.AOFLoadTruncated }),
			"Load an append-only file whose end is missing, as a crash leaves it, and cut off the piece of a record at its end; otherwise refuse to start."},
		{"aof-use-rdb-preamble", nil, live, p(func(p *Persistence) *bool { return &p.AOFPreamble }),
			"Write the base of an append-only file as a snapshot, which is smaller and loads faster than commands."},
		{"aof-timestamp-enabled", nil, live, p(func(p *Persistence) *bool { return &p.AOFTimestamps }),
			"Write the time into the append-only file, once a second at most."},
	}
}

// savePoints is save: pairs of seconds and changes.
func savePoints(at func(*Config) *Persistence) value {
	errPoints := errors.New("Invalid save parameters")
	return value{
		kind:   "pairs of seconds and changes",
		many:   true,
		quoted: true,
		parse: func(c *Config, args []string) error {
			if len(args) == 1 && args[0] == "" {
				args = nil
			}
			if len(args)%2 != 0 {
				return errPoints
			}
			points := make([]SavePoint, 0, len(args)/2)
			for ; len(args) > 0; args = args[2:] {
				seconds, err := parseInt(args[0])
				changes, err2 := parseInt(args[1])
				if err != nil || err2 != nil || seconds < 1 || seconds > maxInt || changes < 0 || changes > maxInt {
					return errPoints
				}
				points = append(points, SavePoint{time.Duration(seconds) * time.Second, changes})
			}
			p := at(c)
			if p.pointsRead && len(points) > 0 {
				points = append(append([]SavePoint(nil), p.SavePoints...), points...)
			}
			p.SavePoints, p.pointsRead = points, true
			return nil
		},
		format: func(c *Config) string {
			var words []string
			for _, p := range at(c).SavePoints {
				words = append(words, fmt.Sprintf("%d %d", p.After/time.Second, p.Changes))
			}
			return strings.Join(words, " ")
		},
		lines: func(c *Config) []string {
			var lines []string
			for _, p := range at(c).SavePoints {
				lines = append(lines, fmt.Sprintf("%d %d", p.After/time.Second, p.Changes))
			}
			if lines == nil {
				return []string{`""`}
			}
			return lines
		},
	}
}
