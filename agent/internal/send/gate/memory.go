package gate

import (
	"slices"
	"time"

	"buzon/agent/internal/client"
)

// memory is what is known of a key beyond whose it is, so that a recheck makes
// no noise: every probe is a denied call, and denied calls set off alarms.
type memory struct {
	key    string
	source client.Source
	is     *Identity
	who    string // the same, as identity.expect would name it
	bucket bool   // it is there
	store  bool   // it is fit
	room   bool   // for on_conflict: replace
	carry  bool   // objects may carry what they are to
	probes map[ID]probed
	power  map[ID]string // by probe, the permission too many that is only warned of
}

// probed is how a probe ended.
type probed struct {
	at      time.Time
	status  Status
	outcome Outcome
}

// recall takes over what is known if it is the same key, or another of the
// same short sessions: a source of temporary credentials gives a new key every
// hour, and its rights are the role's.
func (p *pass) recall() {
	now := &memory{key: p.aws.KeyID(), source: p.aws.Source, probes: map[ID]probed{}, power: map[ID]string{}}
	now.source.Key, now.source.Expires = "", time.Time{}
	if who := p.report.Identity; who != nil {
		now.is, now.who = who, expectable(who.ARN)
	}
	p.memory = now
	b := p.before
	if b == nil || b.source != now.source || b.who != now.who {
		return
	}
	if b.key == now.key || now.source.Temporary && now.who != "" {
		now.bucket, now.store, now.room, now.carry, now.probes, now.power = b.bucket, b.store, b.room, b.carry, b.probes, b.power
	}
}

// remember gives the identity of a key that was seen before. A key id never
// passes to another principal, so where it still is valid, and only nobody says
// whose it is, what was said of it before holds.
func (p *pass) remember() *Identity {
	if p.before != nil && p.before.key == p.aws.KeyID() {
		return p.before.is
	}
	return nil
}

// again tells whether a check beside the canary is to be made in this pass.
func (p *pass) again(known bool) bool { return !known || p.report.Depth == Full }

// due tells whether a probe is to be made in this pass.
func (p *pass) due(probe Probe) bool {
	last, known := p.memory.probes[probe.ID]
	switch {
	case probe.Target == OnAccount && p.listed != nil, probe.ID == listBucket && p.bucket != nil:
		return true // it was asked already
	case p.again(known), time.Since(last.at) >= probesEvery, last.status == Failed:
		return true
	default: // what only the canary can prove
		return last.outcome == ProbeNotProven && p.stands
	}
}

// learn keeps how a probe ended.
func (m *memory) learn(c Check) {
	m.probes[c.ID] = probed{time.Now(), c.Status, c.Outcome}
	delete(m.power, c.ID)
	if c.Status == Warning && c.Permission != "" {
		m.power[c.ID] = c.Permission
	}
}

// powers are the permissions too many that are known, and were not asked for
// in this pass.
func (m *memory) powers(asked []Check) []string {
	var all []string
	for id, permission := range m.power {
		if !slices.ContainsFunc(asked, func(c Check) bool { return c.ID == id }) {
			all = append(all, permission)
		}
	}
	slices.Sort(all)
	return all
}
