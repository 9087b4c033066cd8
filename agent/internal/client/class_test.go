package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"buzon/scripts/load/s3server"
)

// at is an AWS that talks to s as who, by the environment alone.
func at(t *testing.T, s *s3server.Server, who s3server.Identity) *AWS {
	t.Helper()
	for _, pair := range s.Environ(who) {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	a, err := Load(t.Context(), Settings{Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func put(ctx context.Context, a *AWS) error {
	_, err := a.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("inbox"), Key: aws.String("k"), Body: strings.NewReader("body")})
	return err
}

func TestEveryFaultOfTheWireHasItsClass(t *testing.T) {
	var fault s3server.Fault
	s := s3server.Start(t, s3server.Options{Fault: func(*s3server.Call) s3server.Fault { return fault }})
	a := at(t, s, s3server.Admin)
	for _, c := range []struct {
		name   s3server.Name
		class  Class
		code   string
		status int
	}{
		{s3server.SlowDown, Throttled, "SlowDown", 503},
		{s3server.RetryLater, Throttled, "ServiceUnavailable", 503},
		{s3server.Internal, Transient, "InternalError", 500},
		{s3server.BadGateway, NotTheStore, "HTTP 502", 502},
		{s3server.Denied, AccessDenied, "AccessDenied", 403},
		{s3server.Exists, Exists, "PreconditionFailed", 412},
		{s3server.Conflict, Raced, "ConditionalRequestConflict", 409},
		{s3server.Expired, Credential, "ExpiredToken", 400},
		{s3server.Digest, Corrupt, "BadDigest", 400},
		{s3server.IdleTimeout, Transient, "RequestTimeout", 400},
		{s3server.LostUpload, NoUpload, "NoSuchUpload", 404},
		{s3server.ResetBefore, Transient, "", 0}, // by its moment it shows as a reset, a broken pipe or an early end
		{s3server.ResetAfter, Transient, "reset", 0},
		{s3server.LostAnswer, Transient, "reset", 0},
		{s3server.Timeout, Transient, "timeout", 0},
	} {
		t.Run(string(c.name), func(t *testing.T) {
			fault = s3server.Fault{Name: c.name, Wait: 7 * time.Second}
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			s.ResetStats()
			f := Classify(put(ctx, a))
			if f.Class != c.class || c.code != "" && f.Code != c.code || f.Status != c.status {
				t.Errorf("%+v", f)
			}
			if c.name == s3server.RetryLater && f.RetryAfter != 7*time.Second {
				t.Error("Retry-After:", f.RetryAfter)
			}
			if c.status != 0 && (f.RequestID == "" || f.Date.IsZero()) {
				t.Errorf("no request id or date: %+v", f)
			}
			if n := s.Stats().Requests; n != 1 {
				t.Errorf("the SDK sent %d requests; attempts are ours to count", n)
			}
		})
	}
}

func TestEveryWrongKeyIsACredentialFault(t *testing.T) {
	off := s3server.Identity{ARN: "arn:aws:iam::111122223333:user/off", AccessKey: "AKIAOFF", Secret: "s", Inactive: true}
	old := s3server.Identity{ARN: "arn:aws:sts::111122223333:assumed-role/r/s", AccessKey: "ASIAOLD", Secret: "s", Token: "t", Expired: true}
	wrong := s3server.Admin
	wrong.Secret = "other"
	s := s3server.Start(t, s3server.Options{Verify: true, Identities: []s3server.Identity{s3server.Admin, off, old}})
	for name, who := range map[string]s3server.Identity{"InvalidAccessKeyId": off, "ExpiredToken": old, "SignatureDoesNotMatch": wrong} {
		a := at(t, s, who)
		if f := Classify(put(t.Context(), a)); f.Class != Credential || f.Code != name {
			t.Errorf("%s: %+v", name, f)
		}
		_, err := a.STS.GetCallerIdentity(t.Context(), nil)
		if f := Classify(err); f.Class != Credential {
			t.Errorf("STS %s: %+v", name, f)
		}
	}
}

func TestAWrongClockIsSeenAndNotWorkedAround(t *testing.T) {
	s := s3server.Start(t, s3server.Options{Verify: true, Now: func() time.Time { return time.Now().Add(-time.Hour) }})
	f := Classify(put(t.Context(), at(t, s, s3server.Admin)))
	if f.Class != Credential || f.Code != "RequestTimeTooSkewed" || time.Since(f.Date) < 50*time.Minute {
		t.Errorf("%+v", f)
	}
	if n := s.Stats().Requests; n != 1 {
		t.Error("requests:", n)
	}
}

func TestAWrongBucketIsABucketFault(t *testing.T) {
	s := s3server.Start(t, s3server.Options{Buckets: []s3server.Bucket{{Name: "other"}}})
	if f := Classify(put(t.Context(), at(t, s, s3server.Admin))); f.Class != Bucket || f.Code != "NoSuchBucket" {
		t.Errorf("%+v", f)
	}
	s = s3server.Start(t, s3server.Options{Buckets: []s3server.Bucket{{Name: "inbox", Region: "eu-west-1"}}})
	if f := Classify(put(t.Context(), at(t, s, s3server.Admin))); f.Class != Bucket || f.Code != "PermanentRedirect" || f.Region != "eu-west-1" {
		t.Errorf("%+v", f)
	}
}

func TestWhatBreaksBelowHTTPIsTransientAndNamed(t *testing.T) {
	s := s3server.Start(t, s3server.Options{TLS: true})
	t.Setenv("AWS_CA_BUNDLE", "")
	s.CAFile = ""
	if f := Classify(put(t.Context(), at(t, s, s3server.Admin))); f.Class != Transient || f.Code != "tls" {
		t.Errorf("tls: %+v", f)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := s3server.New(s3server.Options{})
	closed.URL = "http://" + l.Addr().String()
	_ = l.Close()
	if f := Classify(put(t.Context(), at(t, closed, s3server.Admin))); f.Class != Transient || f.Code != "refused" {
		t.Errorf("refused: %+v", f)
	}
	nowhere := s3server.New(s3server.Options{})
	nowhere.URL = "http://no-such-host.invalid"
	if f := Classify(put(t.Context(), at(t, nowhere, s3server.Admin))); f.Class != Transient || f.Code != "dns" {
		t.Errorf("dns: %+v", f)
	}
}

func TestTheCABundleIsTrustedAndTheAgentNamesItself(t *testing.T) {
	agents := make(chan string, 1)
	s := s3server.Start(t, s3server.Options{TLS: true, Fault: func(c *s3server.Call) s3server.Fault {
		agents <- c.Header.Get("User-Agent")
		return s3server.Fault{}
	}})
	if err := put(t.Context(), at(t, s, s3server.Admin)); err != nil {
		t.Fatal(err)
	}
	if got := <-agents; !strings.Contains(got, "buzon/1.2.3") {
		t.Error(got)
	}
}

// TestCodesHaveTheirClass writes out again what decides between retrying, pausing and quarantine.
func TestCodesHaveTheirClass(t *testing.T) {
	for class, codes := range map[Class]string{
		Transient: "InternalError RequestTimeout IncompleteBody OperationAborted TemporaryRedirect",
		Throttled: "SlowDown ServiceUnavailable Throttling ThrottlingException RequestLimitExceeded TooManyRequestsException",
		Credential: "InvalidAccessKeyId SignatureDoesNotMatch ExpiredToken InvalidToken TokenRefreshRequired RequestTimeTooSkewed " +
			"AccountProblem AllAccessDisabled NotSignedUp InvalidPayer InvalidClientTokenId RegionDisabledException",
		AccessDenied: "AccessDenied Forbidden",
		Exists:       "PreconditionFailed",
		Raced:        "ConditionalRequestConflict",
		NoUpload:     "NoSuchUpload InvalidPart InvalidPartOrder EntityTooSmall",
		Corrupt:      "BadDigest XAmzContentSHA256Mismatch",
		Bucket:       "NoSuchBucket PermanentRedirect AuthorizationHeaderMalformed IllegalLocationConstraintException MethodNotAllowed NotImplemented KMS.DisabledException",
		File:         "EntityTooLarge KeyTooLongError MetadataTooLarge InvalidArgument InvalidRequest MissingContentLength",
		Unknown:      "SomethingNew",
	} {
		for _, code := range strings.Fields(codes) {
			if f := Classify(fmt.Errorf("put: %w", &smithy.GenericAPIError{Code: code})); f.Class != class || f.Code != code {
				t.Errorf("%s is %v, want %v", code, f.Class, class)
			}
		}
	}
}

func TestOtherErrors(t *testing.T) {
	for _, c := range []struct {
		err   error
		class Class
	}{
		{nil, Unknown}, {errors.New("x"), Unknown}, {context.Canceled, Canceled}, {context.DeadlineExceeded, Transient},
		{io.ErrUnexpectedEOF, Transient}, {&net.OpError{Op: "write", Err: net.ErrClosed}, Transient}, {&CredentialsError{Problem: NoCredentials}, Credential},
	} {
		if f := Classify(c.err); f.Class != c.class {
			t.Errorf("%v is %v", c.err, f.Class)
		}
	}
}

func TestEveryClassHasItsName(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Classes() {
		if name := c.String(); name == "" || seen[name] {
			t.Errorf("class %d is called %q", c, name)
		}
		seen[c.String()] = true
	}
	if len(seen) != 15 {
		t.Error("a class came or went: decide it in the courier's table, and change this number:", len(seen))
	}
}

func TestAFullStoreIsNoFaultOfAFile(t *testing.T) {
	var fault s3server.Fault
	s := s3server.Start(t, s3server.Options{Fault: func(*s3server.Call) s3server.Fault { return fault }})
	a := at(t, s, s3server.Admin)
	for _, c := range []struct {
		status int
		code   string
		class  Class
	}{
		{403, "QuotaExceeded", StoreFull},
		{507, "XMinioStorageFull", StoreFull},
		{507, "InsufficientStorage", StoreFull},
		{507, "AnythingElse", StoreFull},
		{400, "XMinioAdminBucketQuotaExceeded", StoreFull},
		{500, "XMinioStorageInsufficientWriteQuorum", StoreFull},
		{500, "InternalError", Transient},
		{400, "EntityTooLarge", File},
		{409, "ObjectParentIsFile", File},
		{409, "ExistingObjectIsDirectory", File},
		{409, "ANameOfAnotherStore", Unknown},
		{409, "ConditionalRequestConflict", Raced},
		{409, "OperationAborted", Transient},
	} {
		fault = s3server.Fault{Name: s3server.Refuse, Status: c.status, Code: c.code}
		if f := Classify(put(t.Context(), a)); f.Class != c.class || f.Code != c.code {
			t.Errorf("%d %s: %+v", c.status, c.code, f)
		}
	}
}

func TestWhatThisMachineLacksIsItsOwnFault(t *testing.T) {
	for _, c := range []struct {
		errno error
		code  string
	}{
		{syscall.EMFILE, "descriptors"}, {syscall.ENFILE, "descriptors"}, {syscall.ENOMEM, "memory"}, {syscall.ENOSPC, "disk"},
		{syscall.EDQUOT, "disk"}, {syscall.ENOBUFS, "buffers"}, {syscall.EADDRNOTAVAIL, "ports"}, {syscall.EACCES, ""}, {syscall.EIO, ""},
	} {
		for _, err := range []error{
			&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", c.errno)},
			&fs.PathError{Op: "open", Path: "/etc/ssl/ca.pem", Err: c.errno},
			&CredentialsError{Problem: UnreadableFile, File: "/c", cause: &fs.PathError{Op: "open", Path: "/c", Err: c.errno}},
		} {
			if code := Lacking(err); code != c.code {
				t.Errorf("%v: %q", err, code)
			}
			if f := Classify(err); (f.Class == Machine) != (c.code != "") {
				t.Errorf("%v: %+v", err, f)
			}
		}
	}
}
