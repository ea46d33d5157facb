package commands

import (
	"conclave/kv"
	"conclave/kv/migrate"
	"conclave/resp/command"
)

// Deps is what the commands on keys need.
type Deps struct {
	Store *kv.Store
	// Cluster: commands across databases are refused.
	Cluster bool
	// MaxBulkLen is proto-max-bulk-len as it is now, in bytes; nil means its
	// default. It also bounds what strings may grow to.
	MaxBulkLen func() int64
	// HLLSparseMax is hll-sparse-max-bytes as it is now; nil means its default.
	HLLSparseMax func() int64
	// Migrate carries keys to other servers. Its owner closes it. Nil means
	// one of its own, over plain TCP.
	Migrate *migrate.Pool
	// Notifier is told of keyspace events; nil: nobody is.
	Notifier command.Notifier
}

const defaultMaxBulk = 512 << 20

// handlers is what the handlers of all families share.
type handlers struct{ Deps }

// Specs lists the families.
func Specs(d Deps) [][]command.Spec {
	if d.Migrate == nil {
		d.Migrate = migrate.New(nil)
	}
	h := &handlers{d}
	return [][]command.Spec{
		h.stringSpecs(),
		h.numberSpecs(),
		h.lcsSpecs(),
		h.bitmapSpecs(),
		h.hyperLogLogSpecs(),
		h.hyperLogLogDebugSpecs(),
		h.hashSpecs(),
		h.zsetSpecs(),
		h.geoSpecs(),
		h.memberSpecs(),
		h.algebraSpecs(),
		h.sortSpecs(),
		h.streamSpecs(),
		h.listSpecs(),
		h.listMoveSpecs(),
		h.keySpecs(),
		h.expirySpecs(),
		h.objectSpecs(),
		h.scanSpecs(),
		h.databaseSpecs(),
		h.dumpSpecs(),
		h.migrateSpecs(),
	}
}

// db is the session's database at the instant of the call.
func (h *handlers) db(c *command.Ctx) kv.DB { return h.Store.DB(c.Session.DB(), c.NowMs) }

func (h *handlers) maxBulk() int64 {
	if h.MaxBulkLen == nil {
		return defaultMaxBulk
	}
	return h.MaxBulkLen()
}
