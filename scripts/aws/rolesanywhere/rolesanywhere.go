// Package rolesanywhere plays IAM Roles Anywhere for the stories on the local
// AWS: AWS's signing helper asks it for a session as it asks the service.
//
// It checks what the service checks of a request: the signature made with the
// certificate's key, over the request as it arrived; the certificate's chain to
// the trust anchor, and its time; that the profile is there and names the role.
// The role's own trust policy is asked by the local AWS, which hands out the
// session, tagged with the certificate's subject.
//
// It has no CRLs, no attribute mappings and no session policies, and is no proof
// of how AWS words its refusals.
package rolesanywhere

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// Service answers CreateSession. Its fields are set before its first request.
type Service struct {
	STS      *sts.Client         // of the account's root
	Anchor   string              // ARN of the trust anchor
	Roots    *x509.CertPool      // its certificate authority
	Profiles map[string][]string // the roles of each profile, by its ARN
	// Now is by what time certificates are judged; nil: the machine's. The
	// signature's own time is always held against the machine's.
	Now func() time.Time
	// Lasts is how long a session lasts; AWS would give none of less than 15 minutes.
	Lasts time.Duration

	ends atomic.Int64 // of the last session, Unix seconds
}

// Ends is when the last session that was handed out ends.
func (s *Service) Ends() time.Time { return time.Unix(s.ends.Load(), 0) }

// longest is how much of a request's body is read.
const longest = 64 << 10

// refusal is what the service says no with.
type refusal struct {
	status int
	code   string
	text   string
}

func (r refusal) Error() string { return r.code + ": " + r.text }

func denied(format string, args ...any) error {
	return refusal{http.StatusForbidden, "AccessDeniedException", fmt.Sprintf(format, args...)}
}

// ServeHTTP answers one request.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := s.createSession(r)
	w.Header().Set("Content-Type", "application/json")
	var no refusal
	switch {
	case errors.As(err, &no):
		w.Header().Set("X-Amzn-Errortype", no.code)
		w.WriteHeader(no.status)
		answer = map[string]any{"message": no.text}
	case err != nil:
		w.Header().Set("X-Amzn-Errortype", "InternalServerException")
		w.WriteHeader(http.StatusInternalServerError)
		answer = map[string]any{"message": err.Error()}
	default:
		w.WriteHeader(http.StatusCreated)
	}
	_ = json.NewEncoder(w).Encode(answer) // who asked may have gone
}

func (s *Service) createSession(r *http.Request) (map[string]any, error) {
	if r.Method != http.MethodPost || r.URL.Path != "/sessions" {
		return nil, refusal{http.StatusNotFound, "ResourceNotFoundException", r.Method + " " + r.URL.Path}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, longest))
	if err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	certificate, others, err := signedBy(r, body, time.Now())
	if err != nil {
		return nil, err
	}
	if err := s.trusts(certificate, others); err != nil {
		return nil, err
	}
	ask := r.URL.Query()
	role, profile := ask.Get("roleArn"), ask.Get("profileArn")
	if anchor := ask.Get("trustAnchorArn"); anchor != s.Anchor {
		return nil, denied("there is no trust anchor %q", anchor)
	}
	roles, known := s.Profiles[profile]
	if !known || !slices.Contains(roles, role) {
		return nil, denied("the profile %q does not name the role %q", profile, role)
	}
	made, err := s.session(r.Context(), certificate, role)
	if err == nil {
		err = s.trusts(certificate, others) // its time may have ended meanwhile
	}
	return made, err
}

// trusts asks what a certificate must be (IAM Roles Anywhere User Guide, "Trust
// model": version 3, no CA's, for signatures, chained to the anchor, in its time).
func (s *Service) trusts(c *x509.Certificate, others []*x509.Certificate) error {
	if c.Version != 3 || c.IsCA || c.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return denied("the certificate is none for signing requests")
	}
	now := time.Now()
	if s.Now != nil {
		now = s.Now()
	}
	between := x509.NewCertPool()
	for _, other := range others {
		between.AddCert(other)
	}
	_, err := c.Verify(x509.VerifyOptions{Roots: s.Roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return denied("the certificate is not in its time: it ends at %s", c.NotAfter.UTC().Format(time.RFC3339))
	case err != nil:
		return denied("the certificate is not of the trust anchor")
	}
	return nil
}

// session has the local AWS assume the role, with the tags that the service takes
// from the certificate's subject.
func (s *Service) session(ctx context.Context, c *x509.Certificate, role string) (map[string]any, error) {
	made, err := s.STS.AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn: &role, RoleSessionName: aws.String(strings.ToLower(c.SerialNumber.Text(16))),
		ExternalId:      &s.Anchor, // by which the local AWS knows whom it plays
		DurationSeconds: aws.Int32(int32(s.Lasts / time.Second)),
		Tags: []types.Tag{
			{Key: aws.String("x509Subject/CN"), Value: &c.Subject.CommonName},
		},
	})
	if err != nil {
		return nil, denied("assume %s: %v", role, err)
	}
	ends := time.Now().Add(s.Lasts)
	s.ends.Store(ends.Unix())
	return map[string]any{"credentialSet": []any{map[string]any{
		"roleArn":         role,
		"assumedRoleUser": map[string]any{"arn": made.AssumedRoleUser.Arn, "assumedRoleId": made.AssumedRoleUser.AssumedRoleId},
		"credentials": map[string]any{
			"accessKeyId": made.Credentials.AccessKeyId, "secretAccessKey": made.Credentials.SecretAccessKey,
			"sessionToken": made.Credentials.SessionToken, "expiration": ends.UTC().Format(time.RFC3339),
		},
	}}}, nil
}
