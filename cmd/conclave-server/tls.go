package main

import (
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"

	"conclave/cmd/internal/config"
	"conclave/cmd/internal/tlsconf"
)

// encryption is what the tls-* directives ask for, as they are at the moment.
type encryption struct {
	setup atomic.Pointer[tlsconf.Setup] // nil before TLS is first used
	port  *tlsPort
}

// newEncryption reads the files, if anything uses TLS, and follows the
// directives. What was read last goes on to be used if it can't be read again.
func (r *rooms) newEncryption() (*encryption, error) {
	e := &encryption{}
	e.port = newTLSPort(func() *tls.Config { return e.setup.Load().Clients })
	if t := &r.cfg.Current().TLS; t.Needed() {
		setup, err := tlsconf.New(t)
		if err != nil {
			r.log.Error("TLS not configured", "err", err)
			return nil, errors.New("Failed to configure TLS. Check logs for more info.")
		}
		e.setup.Store(setup)
	}
	r.cfg.OnChange(func(old, c *config.Config) error { return r.changeEncryption(e, old, c) }, config.TLSDirectives()...)
	return e, nil
}

func (r *rooms) changeEncryption(e *encryption, old, c *config.Config) error {
	if !c.TLS.Needed() {
		e.port.replace(nil)
		return nil
	}
	setup, err := tlsconf.New(&c.TLS)
	if err != nil {
		r.log.Warn("TLS not configured", "err", err)
		return errors.New("Unable to update TLS configuration. Check server logs.")
	}
	if c.TLS.Port == old.TLS.Port {
		e.setup.Store(setup)
		return nil
	}
	var sockets []net.Listener
	if c.TLS.Port != 0 {
		if sockets, err = r.listenTCP(c.TLS.Port); err != nil {
			r.log.Warn("tls-port not changed", "err", err)
			return errors.New("Unable to listen on this port. Check server logs.")
		}
	}
	e.setup.Store(setup)
	e.port.replace(sockets)
	return nil
}
