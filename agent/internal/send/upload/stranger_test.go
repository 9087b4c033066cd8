package upload

import (
	"errors"
	"fmt"
	"testing"

	"buzon/agent/internal/client"
	"buzon/scripts/load/s3server"
)

// An answer that is not the store's says nothing of what became of a request: no receipt, no refusal, no new key.
func TestWhatIsNotTheStoresLeavesTheOutcomeOpen(t *testing.T) {
	var fault s3server.Fault
	var of s3server.Op
	s := s3server.Start(t, s3server.Options{Fault: func(c *s3server.Call) s3server.Fault {
		if c.Op == of {
			return fault
		}
		return s3server.Fault{}
	}})
	verbs(t, s)
	u := New(connect(t, s), Options{Threshold: 1 << 20, PartSize: minPart})
	for i, strange := range s3server.Stranges() {
		for _, name := range []s3server.Name{s3server.Stranger, s3server.DoneThenStranger} {
			fault = s3server.Fault{Name: name, Raw: strange.Raw}
			for _, c := range []struct {
				op    s3server.Op
				size  int
				phase Phase
				sent  BodySent
			}{
				{s3server.PutObject, 0, PhasePut, Maybe},
				{s3server.PutObject, 100, PhasePut, Maybe},
				{s3server.PutObject, small + 100, PhasePut, Maybe}, // with a trailer
				{s3server.CreateMultipartUpload, 2 << 20, PhaseCreate, No},
				{s3server.UploadPart, 2 << 20, PhasePart, No},
				{s3server.CompleteMultipartUpload, 2 << 20, PhaseComplete, Maybe},
			} {
				of = c.op
				key := fmt.Sprintf("%d-%s-%s-%d", i, name, c.op, c.size)
				before := s.Stats().Ops[s3server.AbortMultipartUpload]
				_, err := u.Send(t.Context(), job(key, data(c.size)), &memory{})
				var e *Error
				if !errors.As(err, &e) {
					t.Fatalf("%s, %s: %v", strange.Name, key, err)
				}
				if e.Fault.Class != client.NotTheStore || e.Answered || e.Phase != c.phase || e.Sent != c.sent || e.Fault.Status != strange.Status {
					t.Errorf("%s, %s: %+v", strange.Name, key, e)
				}
				if s.Stats().Ops[s3server.AbortMultipartUpload] != before {
					t.Errorf("%s, %s: an upload was aborted that may stand", strange.Name, key)
				}
			}
		}
	}
}

// The harmless twin: errors of the store's own, for each call, are answers.
func TestWhatTheStoreSaysIsAnAnswer(t *testing.T) {
	for _, c := range []struct {
		op    s3server.Op
		fault s3server.Fault
		class client.Class
	}{
		{s3server.PutObject, s3server.Fault{Name: s3server.Denied}, client.AccessDenied},
		{s3server.PutObject, s3server.Fault{Name: s3server.Refuse, Status: 507, Code: "XMinioStorageFull"}, client.StoreFull},
		{s3server.CreateMultipartUpload, s3server.Fault{Name: s3server.SlowDown}, client.Throttled},
		{s3server.UploadPart, s3server.Fault{Name: s3server.LostUpload}, client.NoUpload},
		{s3server.CompleteMultipartUpload, s3server.Fault{Name: s3server.Exists}, client.Exists},
		{s3server.CompleteMultipartUpload, s3server.Fault{Name: s3server.ErrorInside}, client.Transient},
	} {
		s := s3server.Start(t, s3server.Options{Fault: only(c.op, 1, c.fault)})
		u := New(connect(t, s), Options{Threshold: 1 << 20, PartSize: minPart})
		size := 2 << 20
		if c.op == s3server.PutObject {
			size = 10
		}
		_, err := u.Send(t.Context(), job("k", data(size)), &memory{})
		var e *Error
		if !errors.As(err, &e) || e.Fault.Class != c.class || !e.Answered {
			t.Errorf("%s %s: %v", c.op, c.fault.Name, err)
		}
	}
}

// A store that echoed the checksum and does so no more has not confirmed what it got.
func TestAnEchoThatIsMissedConfirmsNothing(t *testing.T) {
	traits := client.NewTraits(client.Shown{}, nil)
	for _, c := range []struct {
		quiet bool
		fails bool
	}{{true, false}, {false, false}, {true, true}, {false, false}} {
		s := s3server.Start(t, s3server.Options{NoEcho: c.quiet})
		for _, size := range []int{10, small + 10} {
			connect(t, s)
			a, err := client.Load(t.Context(), client.Settings{Version: "test", Endpoint: s.URL, Traits: traits})
			if err != nil {
				t.Fatal(err)
			}
			_, err = New(a, Options{}).Send(t.Context(), job(fmt.Sprintf("k%d", size), data(size)), nil)
			var e *Error
			if errors.As(err, &e) != c.fails || c.fails && e.Fault.Class != client.NotTheStore {
				t.Errorf("quiet %v, %d bytes: %v", c.quiet, size, err)
			}
		}
	}
}
