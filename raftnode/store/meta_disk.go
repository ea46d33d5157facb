package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

const (
	metaFile    = "conclave.db"
	metaBucket  = "node"
	metaKey     = "record"
	metaVersion = 1

	// lockTimeout bounds the wait for another process's lock on a file.
	lockTimeout = time.Second
)

// Errors of opening.
var (
	ErrInUse   = errors.New("directory is in use by another process")
	ErrCorrupt = errors.New("file is damaged")
)

// DiskMeta is a Meta in <dir>/conclave.db. As long as it is open, no other
// process opens the directory.
type DiskMeta struct{ db *bbolt.DB }

// OpenMeta opens or creates the record of a directory.
func OpenMeta(dir string) (m *DiskMeta, err error) {
	path := filepath.Join(dir, metaFile)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db, err := openBolt(path)
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists([]byte(metaBucket))
		return err
	})
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return &DiskMeta{db: db}, nil
}

// openBolt opens a bolt file of ours. bbolt panics on some damaged files.
func openBolt(path string) (db *bbolt.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("open %s: %w: %v", path, ErrCorrupt, r)
		}
	}()
	db, err = bbolt.Open(path, 0o600, boltOptions())
	return db, boltErr("open "+path, err)
}

func boltOptions() *bbolt.Options {
	return &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType}
}

// boltErr says what an error of opening means.
func boltErr(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%s: %w", what, ErrInUse)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return fmt.Errorf("%s: %w: %w", what, ErrCorrupt, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Load implements Meta.
func (m *DiskMeta) Load() (Metadata, error) {
	var out Metadata
	err := m.db.View(func(tx *bbolt.Tx) (err error) {
		raw := tx.Bucket([]byte(metaBucket)).Get([]byte(metaKey))
		if raw == nil {
			return nil
		}
		out, err = decodeMetadata(raw)
		return err
	})
	if err != nil {
		return Metadata{}, fmt.Errorf("read %s: %w", m.db.Path(), err)
	}
	return out, nil
}

// Save implements Meta: one synced transaction.
func (m *DiskMeta) Save(rec Metadata) error {
	raw, err := encodeMetadata(rec)
	if err != nil {
		return err
	}
	err = m.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(metaBucket)).Put([]byte(metaKey), raw)
	})
	if err != nil {
		return fmt.Errorf("write %s: %w", m.db.Path(), err)
	}
	return nil
}

// Close releases the directory.
func (m *DiskMeta) Close() error { return m.db.Close() }

// checksum is CRC32C.
func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// encodeMetadata writes version, checksum of the rest, JSON.
func encodeMetadata(m Metadata) ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode node record: %w", err)
	}
	b := append(make([]byte, 0, 5+len(body)), metaVersion)
	b = binary.BigEndian.AppendUint32(b, checksum(body))
	return append(b, body...), nil
}

func decodeMetadata(b []byte) (m Metadata, err error) {
	if len(b) < 5 {
		return Metadata{}, fmt.Errorf("%w: record of %d bytes", ErrCorrupt, len(b))
	}
	if b[0] != metaVersion {
		return Metadata{}, fmt.Errorf("record of version %d, this program knows %d", b[0], metaVersion)
	}
	body := b[5:]
	if binary.BigEndian.Uint32(b[1:]) != checksum(body) {
		return Metadata{}, fmt.Errorf("%w: checksum of the record", ErrCorrupt)
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return Metadata{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return m, nil
}

// syncDir makes new names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
