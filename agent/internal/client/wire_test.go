package client

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// pair is a wire and the peer at its other end.
func pair(t *testing.T) (*Wire, net.Conn) {
	t.Helper()
	here, there := net.Pipe()
	w, err := newWire(here)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = w.Close(), there.Close() })
	return w, there
}

// brokenAfter fails the test unless work ends by a deadline after a time between two.
func brokenAfter(t *testing.T, least, most time.Duration, work func() error) {
	t.Helper()
	began := time.Now()
	err := work()
	if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || took < least || took > most {
		t.Errorf("ended after %v with %v, want a deadline between %v and %v", took, err, least, most)
	}
}

func TestAPeerThatGivesNothingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, there := pair(t)
		go func() { _, _ = io.Copy(io.Discard, there) }() // takes everything, and ends with the pair
		for range 3 {                                     // the first was used a while ago
			time.Sleep(stall / 4) // of the bubble's own clock
			if _, err := w.Write([]byte("request")); err != nil {
				t.Fatal(err)
			}
		}
		brokenAfter(t, silence-stall/3, silence, func() error {
			_, err := w.Read(make([]byte, 1))
			return err
		})
	})
}

func TestAPeerThatTakesNothingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := pair(t)
		time.Sleep(stall / 4) // of the bubble's own clock
		brokenAfter(t, stall-stall/3, stall, func() error {
			_, err := w.Write([]byte("request"))
			return err
		})
	})
}

func TestAnUnusedConnectionIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := pair(t)
		brokenAfter(t, silence, silence, func() error {
			_, err := w.Read(make([]byte, 1))
			return err
		})
	})
}

// TestAnAnswerInDropsIsWaitedFor: S3 keeps the connection of a CompleteMultipartUpload alive with blanks.
func TestAnAnswerInDropsIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, there := pair(t)
		const drops = 20
		go func() {
			for range drops {
				time.Sleep(silence - stall/3 - time.Second) // of the bubble's own clock
				_, _ = there.Write([]byte(" "))             // the reader says whether it came
			}
			_ = there.Close()
		}()
		if got, err := io.ReadAll(w); err != nil || len(got) != drops {
			t.Errorf("%d drops came, want %d: %v", len(got), drops, err)
		}
	})
}
