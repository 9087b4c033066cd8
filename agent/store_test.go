package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"buzon/scripts/load/s3server"
)

// storeKey is where a story keeps its server; stories run at the same time.
type storeKey struct{}

type held struct{ *s3server.Server }

// store is a command of the stories: the S3 server that the agent talks to.
//
//	store                   starts it and leads the environment there; profile default is the uploader's, reader may do all
//	store put KEY FILE      places an object as somebody else would
//	store remove KEY        deletes an object with all its versions
//	store has KEY FILE      fails unless the object holds what the file does (! has: unless there is none)
//	store counts OPERATION  prints how many of these calls came
func store(ts *testscript.TestScript, neg bool, args []string) {
	const bucket, prefix = "inbox", "uploads/vm-01/"
	if len(args) == 0 {
		s := s3server.New(s3server.Options{
			Verify: true, Buckets: []s3server.Bucket{{Name: bucket, Versioned: true}},
			Allow: s3server.AdminOr(s3server.WriteOnly(bucket, prefix)),
		})
		ts.Check(s.Listen("127.0.0.1:0"))
		ts.Defer(s.Close)
		ts.Value(storeKey{}).(*held).Server = s
		home := ts.Getenv("HOME")
		ts.Check(os.MkdirAll(filepath.Join(home, ".aws"), 0o700))
		text := ""
		for name, id := range map[string]s3server.Identity{"default": s3server.Uploader, "reader": s3server.Admin} {
			text += fmt.Sprintf("[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", name, id.AccessKey, id.Secret)
		}
		ts.Check(os.WriteFile(filepath.Join(home, ".aws", "credentials"), []byte(text), 0o600))
		ts.Setenv("AWS_ENDPOINT_URL", s.URL)
		ts.Setenv("AWS_REGION", "us-east-1")
		return
	}
	s := ts.Value(storeKey{}).(*held).Server
	if s == nil {
		ts.Fatalf("store: it was not started")
	}
	switch {
	case args[0] == "put" && len(args) == 3:
		s.Put(bucket, args[1], []byte(ts.ReadFile(args[2])))
	case args[0] == "remove" && len(args) == 2:
		s.Remove(bucket, args[1])
	case args[0] == "has" && len(args) == 2 && neg:
		if _, ok := s.Object(bucket, args[1]); ok {
			ts.Fatalf("store has %s", args[1])
		}
	case args[0] == "has" && len(args) == 3 && !neg:
		if o, ok := s.Object(bucket, args[1]); !ok || string(o.Body) != ts.ReadFile(args[2]) {
			ts.Fatalf("store: %s is %q, there %v", args[1], o.Body, ok)
		}
	case args[0] == "counts" && len(args) == 2:
		fmt.Fprintln(ts.Stdout(), s.Stats().Ops[s3server.Op(args[1])])
	default:
		ts.Fatalf("store put KEY FILE | remove KEY | [!] has KEY FILE | counts OPERATION")
	}
}

// exits is exec for a command that must end with a code: exits 2 agent …
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("exits CODE PROGRAM [ARGS…]")
	}
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		code = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}
