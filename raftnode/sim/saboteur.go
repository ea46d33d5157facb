package sim

import (
	"errors"
	"time"
)

// saboteur makes faults on a schedule. Each fault ends by itself, at the
// latest when the world calms down.
type saboteur struct {
	w   *world
	rng *source
}

func newSaboteur(w *world) *saboteur { return &saboteur{w, newSource(w.opt.Seed, 10)} }

func (s *saboteur) run(stop <-chan struct{}) {
	// Some lives are quiet at first, so that clusters can form.
	if !s.w.sleep(s.rng.between(0, 8*time.Second), stop) {
		return
	}
	for s.w.sleep(s.rng.between(100*time.Millisecond, 4*time.Second), stop) {
		s.fault(stop)
	}
}

// later undoes a fault after a while, unless the life of faults is over.
func (s *saboteur) later(d time.Duration, stop <-chan struct{}, undo func()) {
	h := s.w.hosts[0]
	h.wg.Go(func() {
		if s.w.sleep(d, stop) {
			undo()
		}
	})
}

func (s *saboteur) fault(stop <-chan struct{}) {
	w := s.w
	a := w.hosts[s.rng.intn(len(w.hosts))]
	b := w.hosts[s.rng.intn(len(w.hosts))]
	d := s.rng.between(20*time.Millisecond, 8*time.Second)
	switch s.rng.intn(10) {
	case 0:
		w.tracef("cut %s>%s for %v", a.name, b.name, d)
		w.net.Cut(a.name, b.name)
		s.later(d, stop, func() { w.net.Heal(a.name, b.name) })
	case 1, 2:
		w.tracef("isolate %s for %v", a.name, d)
		for _, o := range w.hosts {
			if o != a {
				w.net.Cut(a.name, o.name)
				w.net.Cut(o.name, a.name)
			}
		}
		s.later(d, stop, func() {
			w.tracef("%s is back", a.name)
			for _, o := range w.hosts {
				w.net.Heal(a.name, o.name)
				w.net.Heal(o.name, a.name)
			}
		})
	case 3:
		k := 1 + s.rng.intn(len(w.hosts)-1)
		w.tracef("split after %d hosts for %v", k, d)
		for i, x := range w.hosts {
			for j, y := range w.hosts {
				if (i < k) != (j < k) {
					w.net.Cut(x.name, y.name)
				}
			}
		}
		s.later(d, stop, func() { w.tracef("heal all"); w.net.HealAll() })
	case 4:
		hi := s.rng.between(5*time.Millisecond, 700*time.Millisecond)
		w.tracef("slow %s>%s up to %v for %v", a.name, b.name, hi, d)
		w.net.Delay(a.name, b.name, hi/10, hi)
		s.later(d, stop, func() { w.calm(a, b) })
	case 5, 6:
		w.tracef("crash %s for %v", a.name, d/4)
		a.crash()
		s.later(d/4, stop, func() { w.tracef("restart %s", a.name); a.boot() })
	case 7:
		if l := a.now(); l != nil {
			w.tracef("freeze %s for %v", a.name, d)
			l.frozen.Store(int64(time.Since(w.start) + d))
			w.net.Pause(a.name)
			s.later(d, stop, func() { w.tracef("thaw %s", a.name); w.net.Resume(a.name) })
		}
	case 8:
		if s.rng.chance(0.3) {
			w.tracef("disk of %s fails", a.name)
			a.faulty.Store(true)
			a.logs.Fail(errors.New("disk failure"))
			s.later(d/4, stop, func() { w.tracef("disk of %s replaced", a.name); a.logs.Fail(nil); a.boot() })
			return
		}
		w.tracef("disk of %s hangs for %v", a.name, d/2)
		a.logs.Stall()
		// Also when the life ends first: what hangs is waited for before calm.
		s.w.hosts[0].wg.Go(func() {
			s.w.sleep(d/2, stop)
			a.logs.Resume()
		})
	case 9:
		if s.rng.chance(0.5) {
			w.tracef("reset connections %s-%s", a.name, b.name)
			w.net.Reset(a.name, b.name)
			return
		}
		step := int64(s.rng.intn(7_200_000)) - 3_600_000
		w.tracef("wall clock of %s jumps by %d ms", a.name, step)
		a.wall.Add(step)
	}
}

// calmDown ends every fault.
func (w *world) calmDown() {
	w.tracef("calm")
	w.net.HealAll()
	for _, a := range w.hosts {
		w.net.Resume(a.name)
		a.logs.Resume()
		a.logs.Fail(nil)
		if l := a.now(); l != nil {
			l.frozen.Store(0)
		}
		for _, b := range w.hosts {
			w.calm(a, b)
		}
	}
	for _, h := range w.hosts {
		h.boot()
	}
}
