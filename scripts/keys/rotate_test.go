package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

func TestRotateFromStartToEnd(t *testing.T) {
	d := newDesk(t)
	name := d.uploader(t, "/buzon/")
	dir := t.TempDir()
	d.fails(t, "has no key to rotate", "rotate-key", name)
	d.must(t, "issue-key", name, "-o", filepath.Join(dir, "old"))
	old := *d.have(t, name)[0].AccessKeyId

	// The VM uses the new key at the third look.
	d.on("GetAccessKeyLastUsed", passes, passes, usedByS3)
	d.must(t, "rotate-key", name, "-o", filepath.Join(dir, "new"))
	if got := d.states(t, name); got != "inactive, active" {
		t.Fatalf("the keys are %s", got)
	}
	if arn := whoami(t, filepath.Join(dir, "new")); !strings.HasSuffix(arn, "/"+name) {
		t.Errorf("the new key is of %s", arn)
	}
	// Again: nothing is left to do but to delete the old one, when somebody says so.
	d.must(t, "rotate-key", name)
	if got := d.states(t, name); got != "inactive, active" {
		t.Fatalf("run again, the keys are %s", got)
	}
	d.must(t, "rotate-key", name, "--delete-old", "--dry-run")
	if got := d.states(t, name); got != "inactive, active" {
		t.Fatalf("after a dry run the keys are %s", got)
	}
	d.must(t, "rotate-key", name, "--delete-old")
	left := d.have(t, name)
	if len(left) != 1 || *left[0].AccessKeyId == old {
		t.Fatalf("the keys are %s", d.states(t, name))
	}
	d.must(t, "rotate-key", name, "--delete-old") // nothing is left: no error
}

// Until the new key is seen in use, or somebody vouches for it, the old one
// stays; and running it again makes no third.
func TestTheOldKeyStaysUntilTheNewOneIsUsed(t *testing.T) {
	d := newDesk(t)
	name := d.uploader(t, "/buzon/")
	dir := t.TempDir()
	d.must(t, "issue-key", name, "-o", filepath.Join(dir, "old"))
	for range 2 {
		d.fails(t, "has not been used yet", "rotate-key", name, "--timeout", "0s", "-o", filepath.Join(dir, "new"))
		if got := d.states(t, name); got != "active, active" {
			t.Fatalf("the keys are %s", got)
		}
	}
	d.must(t, "rotate-key", name, "--confirmed", "--dry-run")
	if got := d.states(t, name); got != "active, active" {
		t.Fatalf("after a dry run the keys are %s", got)
	}
	d.must(t, "rotate-key", name, "--confirmed")
	if got := d.states(t, name); got != "inactive, active" {
		t.Errorf("the keys are %s", got)
	}
}

// An interrupt while it waits loses nothing.
func TestRotateCanBeInterrupted(t *testing.T) {
	d := newDesk(t)
	name := d.uploader(t, "/buzon/")
	dir := t.TempDir()
	d.must(t, "issue-key", name, "-o", filepath.Join(dir, "old"))
	ctx, interrupt := context.WithCancel(t.Context())
	d.mu.Lock()
	d.trouble = func(action string, nth int) fault {
		if action == "GetAccessKeyLastUsed" && nth == 2 {
			interrupt()
		}
		return passes
	}
	d.mu.Unlock()
	if err := d.run(ctx, []string{"rotate-key", name, "-o", filepath.Join(dir, "new")}); err == nil {
		t.Fatal("it did not stop")
	}
	if got := d.states(t, name); got != "active, active" {
		t.Fatalf("the keys are %s", got)
	}
	d.on("GetAccessKeyLastUsed", usedByS3)
	d.must(t, "rotate-key", name)
	if got := d.states(t, name); got != "inactive, active" {
		t.Errorf("the keys are %s", got)
	}
}

// Whatever step breaks, the keys that the VM may hold still work, and running
// the same again comes to the same end.
func TestRotateGoesOnAfterEachBreak(t *testing.T) {
	for _, broken := range []struct {
		action string
		fault  fault
	}{
		{"GetUser", refused}, {"ListAccessKeys", refused}, {"CreateAccessKey", refused},
		{"UpdateAccessKey", refused}, {"UpdateAccessKey", lost}, {"DeleteAccessKey", refused}, {"DeleteAccessKey", lost},
	} {
		t.Run(broken.action, func(t *testing.T) {
			d := newDesk(t)
			name := d.uploader(t, "/buzon/")
			dir := t.TempDir()
			d.must(t, "issue-key", name, "-o", filepath.Join(dir, "old"))
			file := filepath.Join(dir, "new")
			steps := [][]string{{"rotate-key", name, "--confirmed", "-o", file}, {"rotate-key", name, "--delete-old"}}
			d.on(broken.action, broken.fault)
			var err error
			for _, step := range steps {
				if err = d.run(t.Context(), step); err != nil {
					break
				}
			}
			// A lost answer the SDK asks for again by itself, and both are idempotent.
			if (err == nil) != (broken.fault == lost) {
				t.Fatalf("with that fault: %v", err)
			}
			if !strings.Contains(d.states(t, name), " active") && !strings.HasPrefix(d.states(t, name), "active") {
				t.Fatalf("the keys are %s", d.states(t, name))
			}
			d.on("")
			if err != nil && broken.action != "DeleteAccessKey" {
				d.must(t, steps[0]...)
			}
			d.must(t, steps[1]...)
			if got := d.states(t, name); got != "active" {
				t.Fatalf("in the end the keys are %s", got)
			}
			if arn := whoami(t, file); !strings.HasSuffix(arn, "/"+name) {
				t.Errorf("the new key is of %s", arn)
			}
		})
	}
}

// The file of the new key was lost on the way: another is made in its place.
func TestRestartReplacesTheNewKey(t *testing.T) {
	d := newDesk(t)
	name := d.uploader(t, "/buzon/")
	dir := t.TempDir()
	d.must(t, "issue-key", name, "-o", filepath.Join(dir, "old"))
	d.fails(t, "--restart", "rotate-key", name, "--timeout", "0s", "-o", filepath.Join(dir, "lost"))
	first, lostKey := *d.have(t, name)[0].AccessKeyId, *d.have(t, name)[1].AccessKeyId
	d.must(t, "rotate-key", name, "--restart", "--confirmed", "-o", filepath.Join(dir, "new"))
	have := d.have(t, name)
	if len(have) != 2 || *have[0].AccessKeyId != first || *have[1].AccessKeyId == lostKey {
		t.Fatalf("the keys are %s", ids(have))
	}
	d.fails(t, "the only one that works", "rotate-key", name, "--restart")
}

// What is no rotation is left alone.
func TestRotateLeavesOtherStatesAlone(t *testing.T) {
	d := newDesk(t)
	name := d.uploader(t, "/buzon/")
	dir := t.TempDir()
	d.must(t, "issue-key", name, "-o", filepath.Join(dir, "1"))
	if err := d.deactivate(t.Context(), name, *d.have(t, name)[0].AccessKeyId); err != nil {
		t.Fatal(err)
	}
	d.fails(t, "the only key", "rotate-key", name)
	d.must(t, "issue-key", name, "-o", filepath.Join(dir, "2"))
	if err := d.deactivate(t.Context(), name, *d.have(t, name)[1].AccessKeyId); err != nil {
		t.Fatal(err)
	}
	d.fails(t, "no rotation under way", "rotate-key", name)
	if got := d.states(t, name); got != "inactive, inactive" {
		t.Errorf("the keys are %s", got)
	}
}

func TestRevoke(t *testing.T) {
	d := newDesk(t)
	name := d.uploader(t, "/buzon/")
	dir := t.TempDir()
	d.must(t, "issue-key", name, "-o", filepath.Join(dir, "1"))
	d.must(t, "issue-key", name, "-o", filepath.Join(dir, "2"))
	have := d.have(t, name)
	d.must(t, "revoke-key", name, "--dry-run")
	if n := len(d.have(t, name)); n != 2 {
		t.Fatalf("a dry run left %d keys", n)
	}
	d.fails(t, "has no key AKIANOBODYS", "revoke-key", name, "AKIANOBODYS")
	d.must(t, "revoke-key", name, *have[0].AccessKeyId)
	if left := d.have(t, name); len(left) != 1 || *left[0].AccessKeyId != *have[1].AccessKeyId {
		t.Fatalf("the keys are %s", ids(left))
	}
	d.must(t, "revoke-key", name)
	d.must(t, "revoke-key", name) // none is no error
	if n := len(d.have(t, name)); n != 0 {
		t.Errorf("%d keys are left", n)
	}
	d.fails(t, "there is no IAM user", "revoke-key", "nobody")
}

// All of the uploaders, and of nobody else; a fault at one doesn't spare the
// others.
func TestRevokeAll(t *testing.T) {
	d := newDesk(t)
	dir := t.TempDir()
	var names []string
	for _, who := range []struct{ sub, path string }{{"a", "/all/"}, {"b", "/all/"}, {"c", "/all/below/"}, {"d", "/else/"}} {
		name := d.uploaderNamed(t, "revoke-all-"+who.sub, who.path)
		d.must(t, "issue-key", name, "--path", who.path, "-o", filepath.Join(dir, who.sub))
		names = append(names, name)
	}
	d.must(t, "revoke-key", "--all", "--path", "/all/", "--dry-run")
	d.on("DeleteAccessKey", refused)
	d.fails(t, "AccessDenied", "revoke-key", "--all", "--path", "/all/")
	if a, b := len(d.have(t, names[0])), len(d.have(t, names[1])); a+b != 1 {
		t.Errorf("%d and %d keys are left, want one", a, b)
	}
	d.on("")
	d.must(t, "revoke-key", "--all", "--path", "/all/")
	for i, want := range []int{0, 0, 1, 1} {
		if n := len(d.have(t, names[i])); n != want {
			t.Errorf("%s has %d keys, want %d", names[i], n, want)
		}
	}
	d.said.Reset()
	d.must(t, "revoke-key", "--all", "--path", "/nobody/")
	if !strings.Contains(d.said.String(), "no uploader under /nobody/") {
		t.Errorf("it says %q", d.said)
	}
}
