package cli

import (
	"strings"
	"sync/atomic"
	"testing"

	"buzon/scripts/load/s3server"
)

// TestOnlyAFilesOwnFaultEndsInQuarantine: after `tries`, or at once where trying again can't help; and never what may
// pass by itself.
func TestOnlyAFilesOwnFaultEndsInQuarantine(t *testing.T) {
	const tries = 3
	for name, c := range map[string]struct {
		fault       s3server.Fault
		reason      string
		quarantined int64
		least, most int64 // requests for the file
	}{
		"an answer without a meaning":   {s3server.Fault{Name: s3server.Refuse, Status: 418, Code: "Teapot"}, "unclear", 1, tries, tries},
		"a checksum that never matches": {s3server.Fault{Name: s3server.Digest}, "checksum", 1, tries, tries},
		"a race that is always lost":    {s3server.Fault{Name: s3server.Conflict}, "restarted", 1, tries, tries},
		"a file that S3 can't take":     {s3server.Fault{Name: s3server.Refuse, Status: 400, Code: "EntityTooLarge"}, "refused", 1, 1, 1},
		"a server that fails":           {s3server.Fault{Name: s3server.Internal}, "unanswered", 0, tries + 1, 2 * tries},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			h := newHost(t, s3server.Options{Fault: func(call *s3server.Call) s3server.Fault {
				if call.Op != s3server.PutObject || !strings.HasSuffix(call.Key, "bad.txt") {
					return s3server.Fault{}
				}
				asked.Add(1)
				return c.fault
			}})
			h.settings("tries: 3\n")
			code, u, errs := h.uploadJSON(h.files("out", "bad.txt", "good.txt", "sub/good.txt"))
			if code != 1 || u.Sent.Files != 2 || u.Quarantined != c.quarantined || len(u.Failed) != 1 || u.Failed[0].Reason != c.reason {
				t.Errorf("%d %+v\n%s", code, u, errs)
			}
			if n := asked.Load(); n < c.least || n > c.most {
				t.Errorf("%d requests, want %d to %d", n, c.least, c.most)
			}
		})
	}
}
