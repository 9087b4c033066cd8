package e2e

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"buzon/scripts/aws/localaws"
)

// The most that an audit of a fleet may take: of CPU, and of requests.
const (
	fleetCPU         = 60 * time.Second
	requestsOfAll    = 100
	requestsOfAUser  = 5
	fleetBucket      = "fleet-bucket"
	fleetPath        = "/fleet/"
	fleetShort       = 40
	fleetLong        = 1000
	policyNameOfUser = "upload"
)

// A fleet is audited within a minute of CPU and five requests a user; 1,000 users with
// BUZON_TEST=long. The requests are those that the evidence lists.
func TestAFleetIsAuditedInBounds(t *testing.T) {
	w := bare(t)
	users := fleetShort
	if os.Getenv("BUZON_TEST") == "long" {
		users = fleetLong
	}
	w.plain(t, fleetBucket)
	w.fleet(t, users)
	if out, err := buildAgent(); err != nil {
		t.Fatalf("build the agent: %v\n%s", err, out)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "fleet.tar.gz")
	cmd := exec.CommandContext(t.Context(), w.agent, "audit-policy", "--all", "--path", fleetPath, "--bucket", fleetBucket, "--prefix", "uploads/{name}/",
		"--format", "json", "-o", filepath.Join(dir, "fleet.json"), "--evidence", file)
	cmd.Env, cmd.Dir = localaws.CommandEnv(w.aws.Env()), dir
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	requests, principals := filed(t, file)
	t.Logf("%d users: %s of CPU, %s in all, %d requests", principals, cpu.Round(time.Second), time.Since(begun).Round(time.Second), requests)
	if principals != users {
		t.Errorf("%d principals were judged, %d are there", principals, users)
	}
	if cpu > fleetCPU {
		t.Errorf("it took %s of CPU", cpu)
	}
	if most := requestsOfAll + requestsOfAUser*users; requests > most || requests == 0 {
		t.Errorf("%d requests were made, and %d are allowed", requests, most)
	}
}

// fleet makes users with a policy each, until the test ends.
func (w *world) fleet(t *testing.T, users int) {
	t.Helper()
	// So many requests outlive a connection of the local AWS; what is sent again may be there.
	client := iam.NewFromConfig(w.config, func(o *iam.Options) { o.RetryMaxAttempts = 5 })
	unless := func(err error, code string) error {
		var api smithy.APIError
		if errors.As(err, &api) && api.ErrorCode() == code {
			return nil
		}
		return err
	}
	each := func(ctx context.Context, do func(ctx context.Context, name *string) error) error {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(8)
		for i := range users {
			group.Go(func() error { return do(ctx, aws.String(fmt.Sprintf("fleet-%04d", i))) })
		}
		return group.Wait()
	}
	t.Cleanup(func() {
		err := each(context.WithoutCancel(t.Context()), func(ctx context.Context, name *string) error {
			_, err := client.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: name, PolicyName: aws.String(policyNameOfUser)})
			if err = unless(err, "NoSuchEntity"); err != nil {
				return err
			}
			_, err = client.DeleteUser(ctx, &iam.DeleteUserInput{UserName: name})
			return unless(err, "NoSuchEntity")
		})
		if err != nil {
			t.Error(err)
		}
	})
	err := each(t.Context(), func(ctx context.Context, name *string) error {
		_, err := client.CreateUser(ctx, &iam.CreateUserInput{UserName: name, Path: aws.String(fleetPath)})
		if err = unless(err, "EntityAlreadyExists"); err != nil {
			return err
		}
		document := policyOf(`{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::` + fleetBucket + `/uploads/` + *name + `/*"}`)
		_, err = client.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: name, PolicyName: aws.String(policyNameOfUser), PolicyDocument: &document})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// filed counts the requests and principals of evidence.
func filed(t *testing.T, file string) (requests, principals int) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it is only read
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(zip); ; {
		h, err := archive.Next()
		if err != nil {
			return requests, principals
		}
		var found struct{ Requests, Principals []json.RawMessage }
		if h.Name == "manifest.json" || h.Name == "audit-report.json" {
			if err := json.NewDecoder(archive).Decode(&found); err != nil {
				t.Fatal(err)
			}
		}
		requests, principals = requests+len(found.Requests), principals+len(found.Principals)
	}
}
