package journal

import "testing"

func TestWhatAStoreHasShownOutlivesARestart(t *testing.T) {
	state := t.TempDir()
	for i, c := range []struct{ endpoint, before, after string }{
		{"http://a:9000", "", "one"}, {"http://a:9000", "one", "two"}, {"http://b", "", "three"}, {"http://a:9000", "two", "two"},
	} {
		j, err := Open(state, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if shown, err := j.Shown(c.endpoint); err != nil || string(shown) != c.before {
			t.Errorf("%d: %q, %v", i, shown, err)
		}
		if err := j.KeepShown(c.endpoint, []byte(c.after)); err != nil {
			t.Error(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
