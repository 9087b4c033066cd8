package audit

import (
	"slices"
	"strconv"
	"time"
)

// keyAge is how old an access key may become (the rotation that AWS's own
// security checks ask for).
const keyAge = 90 * 24 * time.Hour

// askStaleKey: no active key older than 90 days.
func askStaleKey(q *inquiry) {
	if q.s.Credentials == nil {
		return
	}
	for _, k := range q.s.Credentials.Keys {
		age := q.judge.opts.Now.Sub(k.Created)
		if k.Active && !k.Created.IsZero() && age > keyAge {
			q.find(Finding{Detail: "…" + k.ID + " " + strconv.Itoa(int(age.Hours()/24)) + "d"})
		}
	}
}

// askTwoKeys: no two active keys, but for the time of a rotation.
func askTwoKeys(q *inquiry) {
	if q.s.Credentials == nil {
		return
	}
	active := 0
	for _, k := range q.s.Credentials.Keys {
		if k.Active {
			active++
		}
	}
	if active > 1 {
		q.find(Finding{Detail: strconv.Itoa(active)})
	}
}

// askConsoleAccess: no password, and no credential besides access keys.
func askConsoleAccess(q *inquiry) {
	c := q.s.Credentials
	if c == nil {
		return
	}
	var kinds []string
	if c.Password {
		kinds = append(kinds, "password")
	}
	for kind, n := range c.Others {
		if n > 0 {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		q.find(Finding{Detail: kind})
	}
}
