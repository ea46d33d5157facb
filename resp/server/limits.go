package server

import "time"

// Limits are the settings that may change while the server runs. A value is
// never changed once it was handed out.
type Limits struct {
	MaxClients   int           // 0 = no limit
	Timeout      time.Duration // an idle client is disconnected; 0 = never
	TCPKeepAlive time.Duration // 0 = off

	MaxBulk  int64 // proto-max-bulk-len; 0 = 512 MiB
	MaxQuery int64 // client-query-buffer-limit; 0 = 1 GiB

	OutputNormal  OutputLimit
	OutputReplica OutputLimit
	OutputPubSub  OutputLimit

	TrackingKeys int // tracking-table-max-keys; 0 = no limit

	// ProtectedMode refuses connections that aren't local while there is no
	// password.
	ProtectedMode bool

	SlowlogSlowerThan time.Duration // negative = the log is off; 0 = everything
	SlowlogMaxLen     int
	LatencyThreshold  time.Duration // of LATENCY's events; 0 = off
	LatencyTracking   bool          // histograms per command

	// BusyReplyThreshold is how long a script may keep others waiting before
	// they are told that the server is busy; 0 = for ever.
	BusyReplyThreshold time.Duration
}

// OutputLimit is one class of client-output-buffer-limit: a client with more
// than Hard bytes of output waiting, or with more than Soft for SoftFor, is
// disconnected. Zero means no limit.
type OutputLimit struct {
	Hard, Soft int64
	SoftFor    time.Duration
}

// DefaultLimits are those of Redis.
func DefaultLimits() *Limits {
	return &Limits{
		MaxClients:        10000,
		TCPKeepAlive:      300 * time.Second,
		MaxBulk:           512 << 20,
		MaxQuery:          1 << 30,
		OutputReplica:     OutputLimit{Hard: 256 << 20, Soft: 64 << 20, SoftFor: time.Minute},
		OutputPubSub:      OutputLimit{Hard: 32 << 20, Soft: 8 << 20, SoftFor: time.Minute},
		TrackingKeys:      1_000_000,
		ProtectedMode:     true,
		SlowlogSlowerThan: 10 * time.Millisecond,
		SlowlogMaxLen:     128,
		LatencyTracking:   true,

		BusyReplyThreshold: 5 * time.Second,
	}
}
