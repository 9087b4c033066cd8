package upload

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"buzon/agent/internal/client"
	"buzon/scripts/load/s3server"
)

func TestMultipartArrivesWholeAndIsCheckedAsAWhole(t *testing.T) {
	s := s3server.Start(t, s3server.Options{Verify: true, Buckets: []s3server.Bucket{{Name: inbox, Versioned: true}}})
	verbs(t, s)
	u := New(connect(t, s), Options{Threshold: mebi, PartSize: minPart, Memory: 1 << 20})
	for _, n := range []int{mebi + 1, 5 * mebi, 17*mebi + 3, 40 * mebi} {
		content := data(n)
		key := "big " + strings.Repeat("x", n%5) + ".bin"
		s.Remove(inbox, key)
		m := &memory{}
		result, err := u.Send(t.Context(), job(key, content), m)
		if err != nil {
			t.Fatal(n, err)
		}
		o, ok := s.Object(inbox, key)
		if !ok || !bytes.Equal(o.Body, content) || o.CRC64 != checksum(content) || result.CRC64 != o.CRC64 || !result.Echoed || result.VersionID != o.VersionID || result.RequestID == "" {
			t.Errorf("%d: %+v", n, result)
		}
		if !m.completing || len(m.resume.Parts) != o.Parts || o.Header.Get("X-Amz-Meta-Source-Path") != "a b/c.txt" {
			t.Errorf("%+v %v", m.completing, o.Header)
		}
		_, err = u.Send(t.Context(), job(key, content), &memory{})
		var e *Error
		if !errors.As(err, &e) || e.Fault.Class != client.Exists || e.Phase != PhaseComplete || e.Sent != Whole {
			t.Errorf("a second time: %v", err)
		}
	}
	if len(s.Uploads()) != 0 {
		t.Error("left over:", s.Uploads())
	}
}

func TestMultipartGoesOnFromThePartsInTheJournal(t *testing.T) {
	content := data(23 * mebi)
	fault := only(s3server.UploadPart, 1, s3server.Fault{Name: s3server.Internal})
	s := s3server.Start(t, s3server.Options{Fault: func(c *s3server.Call) s3server.Fault {
		if c.Query.Get("partNumber") == "4" {
			return fault(c)
		}
		return s3server.Fault{}
	}})
	u := New(connect(t, s), Options{Threshold: mebi, PartSize: minPart, Parts: 1})
	m := &memory{}
	_, err := u.Send(t.Context(), job("k", content), m)
	var e *Error
	if !errors.As(err, &e) || e.Phase != PhasePart || e.Sent != No || e.Fault.Class != client.Transient || len(m.resume.Parts) != 3 {
		t.Fatal(err, len(m.resume.Parts))
	}
	j := job("k", content)
	resume := m.resume
	j.Resume = &resume
	s.ResetStats()
	if _, err := u.Send(t.Context(), j, m); err != nil {
		t.Fatal(err)
	}
	if n := s.Stats().Ops[s3server.UploadPart]; n != 2 {
		t.Errorf("%d parts were sent again, 2 were missing", n)
	}
	if o, _ := s.Object(inbox, "k"); !bytes.Equal(o.Body, content) {
		t.Error("other bytes")
	}
}

func TestAnUnansweredCompleteIsRepeatedWithTheSameParts(t *testing.T) {
	for _, repeat := range []struct {
		answer s3server.Repeat
		class  client.Class // Unknown: it succeeds
	}{{s3server.RepeatSucceeds, client.Unknown}, {s3server.RepeatNoSuchUpload, client.NoUpload}, {s3server.RepeatExists, client.Exists}} {
		s := s3server.Start(t, s3server.Options{Repeat: repeat.answer, Fault: only(s3server.CompleteMultipartUpload, 1, s3server.Fault{Name: s3server.LostAnswer})})
		u := New(connect(t, s), Options{Threshold: mebi, PartSize: minPart})
		m := &memory{}
		j := job("k", data(8*mebi))
		_, err := u.Send(t.Context(), j, m)
		var e *Error
		if !errors.As(err, &e) || e.Sent != Maybe || e.Answered || e.Phase != PhaseComplete {
			t.Fatal(err)
		}
		resume := m.resume
		j.Resume = &resume
		_, err = u.Send(t.Context(), j, m)
		if repeat.class == client.Unknown {
			if err != nil {
				t.Error(err)
			}
		} else if !errors.As(err, &e) || e.Fault.Class != repeat.class || e.Sent != Whole {
			t.Error(err)
		}
	}
}

func TestAnErrorInsideA200IsAnError(t *testing.T) {
	s := s3server.Start(t, s3server.Options{Fault: only(s3server.CompleteMultipartUpload, 1, s3server.Fault{Name: s3server.ErrorInside})})
	u := New(connect(t, s), Options{Threshold: mebi, PartSize: minPart})
	_, err := u.Send(t.Context(), job("k", data(8*mebi)), &memory{})
	var e *Error
	if !errors.As(err, &e) || e.Fault.Class != client.Transient || e.Fault.Code != "InternalError" || !e.Answered {
		t.Error(err)
	}
	if n := s.Stats().Ops[s3server.CompleteMultipartUpload]; n != 1 {
		t.Errorf("%d requests; the SDK repeated it", n)
	}
}

func TestFaultsOfAMultipartUploadHaveTheirClass(t *testing.T) {
	for _, c := range []struct {
		op    s3server.Op
		name  s3server.Name
		class client.Class
		phase Phase
		gone  bool // the upload was aborted
	}{
		{s3server.CreateMultipartUpload, s3server.SlowDown, client.Throttled, PhaseCreate, true},
		{s3server.UploadPart, s3server.LostUpload, client.NoUpload, PhasePart, false},
		{s3server.CompleteMultipartUpload, s3server.LostUpload, client.NoUpload, PhaseComplete, false},
		{s3server.CompleteMultipartUpload, s3server.Conflict, client.Raced, PhaseComplete, true},
		{s3server.CompleteMultipartUpload, s3server.Exists, client.Exists, PhaseComplete, true},
		{s3server.CompleteMultipartUpload, s3server.WrongChecksum, client.Corrupt, PhaseComplete, true},
		{s3server.UploadPart, s3server.WrongChecksum, client.Corrupt, PhasePart, false},
	} {
		s := s3server.Start(t, s3server.Options{Fault: only(c.op, 9, s3server.Fault{Name: c.name})})
		u := New(connect(t, s), Options{Threshold: mebi, PartSize: minPart})
		_, err := u.Send(t.Context(), job("k", data(8*mebi)), &memory{})
		var e *Error
		if !errors.As(err, &e) || e.Fault.Class != c.class || e.Phase != c.phase {
			t.Errorf("%s %s: %v", c.op, c.name, err)
		}
		if len(s.Uploads()) == 0 != c.gone {
			t.Errorf("%s %s: uploads %v", c.op, c.name, s.Uploads())
		}
	}
}

func TestARefusedAbortIsTolerated(t *testing.T) {
	s := s3server.Start(t, s3server.Options{Allow: s3server.WriteOnly(inbox, "p/")})
	s.Put(inbox, "p/k", []byte("theirs"))
	u := New(connect(t, s), Options{Threshold: mebi, PartSize: minPart})
	_, err := u.Send(t.Context(), job("p/k", data(8*mebi)), &memory{})
	var e *Error
	if !errors.As(err, &e) || e.Fault.Class != client.Exists {
		t.Error(err)
	}
}

func TestAJournalThatCannotWriteEndsTheAttempt(t *testing.T) {
	s := s3server.Start(t, s3server.Options{})
	u := New(connect(t, s), Options{Threshold: mebi, PartSize: minPart})
	full := errors.New("disk full")
	_, err := u.Send(t.Context(), job("k", data(8*mebi)), &memory{fail: full})
	var e *Error
	if !errors.Is(err, full) || !errors.As(err, &e) || e.Phase != PhaseLedger || e.Sent != No {
		t.Error(err)
	}
}

func TestPartSizesKeepToTenThousandParts(t *testing.T) {
	u := New(&client.AWS{}, Options{})
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(defaultThreshold+1, MaxSize).Draw(t, "size")
		part := u.PartSize(size)
		if part < minPart || part > maxPart || (size+part-1)/part > maxParts {
			t.Fatal(size, part)
		}
	})
	if u.PartSize(defaultThreshold) != 0 || u.PartSize(156*1024*mebi) != defaultPart {
		t.Error(u.PartSize(defaultThreshold), u.PartSize(156*1024*mebi))
	}
}

func TestCombineIsTheChecksumOfBothRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOf(rapid.Byte()).Draw(t, "a"), rapid.SliceOf(rapid.Byte()).Draw(t, "b")
		if combine(checksum(a), checksum(b), int64(len(b))) != checksum(append(a, b...)) {
			t.Fatal("differs")
		}
	})
	if checksum([]byte("123456789")) != 0xAE8B14860A799888 || encode(checksum([]byte("hello"))) != "M3eFcAZSQlc=" {
		t.Error("not CRC-64/NVME")
	}
}

// TestAnUploadThatTheStoreForgotIsNoBrokenConnection: the answer to a part is lost where the connection breaks before
// its body has left, and without it nobody would know that the upload is gone.
func TestAnUploadThatTheStoreForgotIsNoBrokenConnection(t *testing.T) {
	content := data(23 * mebi)
	for name, c := range map[string]struct {
		gone  bool
		class client.Class
	}{
		"it is forgotten": {true, client.NoUpload},
		"it is there":     {false, client.Transient},
	} {
		begun, broken := false, false
		s := s3server.Start(t, s3server.Options{Fault: func(call *s3server.Call) s3server.Fault {
			if broken && call.Op == s3server.UploadPart && call.Size > 0 {
				return s3server.Fault{Name: s3server.ResetInside, Bytes: 1 << 10}
			}
			if !begun && call.Op == s3server.CompleteMultipartUpload {
				return s3server.Fault{Name: s3server.Internal}
			}
			return s3server.Fault{}
		}})
		u := New(connect(t, s), Options{Threshold: mebi, PartSize: minPart, Parts: 2})
		m := &memory{}
		if _, err := u.Send(t.Context(), job("k", content), m); err == nil {
			t.Fatal("it is complete")
		}
		j := job("k", content)
		resume := m.resume
		resume.Parts = resume.Parts[:2]
		j.Resume = &resume
		if c.gone {
			s.DropUpload(resume.UploadID)
		}
		begun, broken = true, true
		_, err := u.Send(t.Context(), j, m)
		var e *Error
		if !errors.As(err, &e) || e.Fault.Class != c.class || e.Answered != c.gone || e.Sent != No {
			t.Errorf("%s: %v", name, err)
		}
		broken = false
		if c.gone {
			j.Resume = nil
		}
		if _, err := u.Send(t.Context(), j, m); c.gone && err != nil {
			t.Errorf("%s, and then: %v", name, err)
		}
	}
}
