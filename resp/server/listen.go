package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"
)

const errMaxClients = "-ERR max number of clients reached\r\n"

const errDenied = "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Set up an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.\r\n"

// drainTime is how long connections may take to finish the batch they are in
// when the server stops.
const drainTime = time.Second

// Serve accepts connections until ctx ends, and returns after the last of them
// did. It may be called for several listeners at once. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	if s.table == nil {
		return errors.New("serve: no command table")
	}
	if s.cfg.Keyspace == nil {
		return errors.New("serve: no keyspace")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var workers, conns sync.WaitGroup
	s.mu.Lock()
	s.serving++
	first := s.serving == 1
	s.mu.Unlock()
	if first {
		workers.Go(func() { s.housekeep(ctx) })
	}
	workers.Go(func() {
		<-ctx.Done()
		ln.Close()
	})
	onLoops, err := s.acceptOnLoops(ctx, ln)
	if !onLoops {
		open := openConns{all: map[*conn]bool{}}
		err = s.accept(ctx, ln, &conns, &open)
		cancel()
		open.drain(&conns)
	}
	cancel()
	workers.Wait()
	s.mu.Lock()
	s.serving--
	s.mu.Unlock()
	return err
}

func (s *Server) accept(ctx context.Context, ln net.Listener, conns *sync.WaitGroup, open *openConns) error {
	wait := 5 * time.Millisecond
	for {
		nc, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if nc != nil {
				nc.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept: %w", err)
		case err != nil:
			// Out of descriptors, mostly: others may be closed soon.
			s.failures.warn(s.log, "accept failed", "err", err)
			t := time.NewTimer(wait)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
			}
			wait = min(2*wait, time.Second)
			continue
		}
		wait = 5 * time.Millisecond
		if text := s.unwelcome(isLocal(nc)); text != "" {
			refuse(nc, text)
			s.stats.refusedConns.Add(1)
			continue
		}
		c := s.newConn(nc)
		open.add(c)
		conns.Go(func() {
			defer open.remove(c)
			c.pump()
		})
	}
}

// refuse closes a connection that isn't accepted. It is told why as far as that
// takes no time; over TLS it would take a handshake.
func refuse(nc net.Conn, text string) {
	if _, encrypted := nc.(*tls.Conn); !encrypted {
		nc.SetWriteDeadline(time.Now().Add(time.Millisecond))
		nc.Write([]byte(text)) // best effort, as in Redis
	}
	plain(nc).Close()
}

// unwelcome is the error for a connection that isn't accepted, or "".
func (s *Server) unwelcome(local bool) string {
	l := s.limits()
	if most := l.MaxClients; most > 0 && s.SessionCount() >= most {
		return errMaxClients
	}
	if l.ProtectedMode && !local && !s.PasswordNeeded() {
		return errDenied
	}
	return ""
}

// isLocal reports whether the peer is on this machine: a unix socket or a
// loopback address.
func isLocal(nc net.Conn) bool {
	a, ok := nc.RemoteAddr().(*net.TCPAddr)
	return !ok || a.IP.IsLoopback()
}

// openConns are the connections of one call of Serve.
type openConns struct {
	mu  sync.Mutex
	all map[*conn]bool
}

func (o *openConns) add(c *conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all[c] = true
}

func (o *openConns) remove(c *conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.all, c)
}

func (o *openConns) each(visit func(*conn)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for c := range o.all {
		visit(c)
	}
}

// drain lets every connection finish its batch, then ends those that didn't.
func (o *openConns) drain(conns *sync.WaitGroup) {
	o.each(func(c *conn) { c.leaveOff() })
	done := make(chan struct{})
	go func() {
		conns.Wait()
		close(done)
	}()
	t := time.NewTimer(drainTime)
	defer t.Stop()
	select {
	case <-done:
		return
	case <-t.C:
	}
	o.each(func(c *conn) { c.session.Kill() })
	<-done
}

// housekeep does what is due once a second.
func (s *Server) housekeep(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	waits := time.NewTicker(recheckPeriod)
	defer waits.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-waits.C:
			s.recheck(turn)
		case now := <-t.C:
			s.stats.sample(now)
			if s.resting.Load() {
				continue
			}
			s.dropIdle(now)
			s.limitTracking(10_000)
		case <-ctx.Done():
			return
		}
	}
}

// PauseHousekeeping stops, for tests, what is done about once a second: idle
// clients stay, and what clients cache is not limited.
func (s *Server) PauseHousekeeping(on bool) { s.resting.Store(on) }

// dropIdle disconnects clients that have been silent for too long. Those that
// wait for something from the server are not idle.
func (s *Server) dropIdle(now time.Time) {
	limit := s.limits().Timeout
	if limit <= 0 {
		return
	}
	for _, x := range s.Sessions() {
		if !x.busy.Load() && !x.Monitoring() && !x.Blocked() && !x.Subscribed() && !x.Replica() && now.Sub(x.LastActive()) > limit {
			s.log.Debug("closing idle client", "client", x.id)
			x.Kill()
		}
	}
}

// logGate lets one warning of a kind through in ten seconds: clients can
// provoke them at will.
type logGate struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (g *logGate) warn(log *slog.Logger, msg string, attrs ...any) {
	now := time.Now()
	g.mu.Lock()
	if g.last == nil {
		g.last = map[string]time.Time{}
	}
	quiet := now.Sub(g.last[msg]) < 10*time.Second
	if !quiet {
		g.last[msg] = now
	}
	g.mu.Unlock()
	if !quiet {
		log.Warn(msg, attrs...)
	}
}
