package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"buzon/scripts/aws/localaws"
)

// account is the local account as the platform team holds it. It plays the
// `aws` commands of the headings, so that nobody needs the AWS command line.
type account struct {
	iam *iam.Client
	s3  *s3.Client
}

// openAccount connects with the platform's key, and to the local AWS alone.
func openAccount(local *localaws.AWS) (*account, error) {
	client, err := local.HTTP()
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	for _, pair := range local.Env() {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	// Nothing is read of this user's own settings.
	cfg := aws.Config{
		Region: localaws.Region, BaseEndpoint: &local.Endpoint, HTTPClient: client,
		Credentials: credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], ""),
	}
	return &account{
		iam: iam.NewFromConfig(cfg),
		s3:  s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
	}, nil
}

// object is one that the bucket holds.
type object struct {
	key  string
	size int64
}

// objects lists what stands under a prefix, without the gate's canary.
func (a *account) objects(ctx context.Context, bucket, prefix string) ([]object, error) {
	var all []object
	pages := s3.NewListObjectsV2Paginator(a.s3, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", bucket, err)
		}
		for _, o := range page.Contents {
			if key := aws.ToString(o.Key); !strings.HasPrefix(key, prefix+".buzon/") {
				all = append(all, object{key, aws.ToInt64(o.Size)})
			}
		}
	}
	return all, nil
}

// compare reads every object under the prefix and holds it against the file
// that it was made from. It gives the keys that have no equal file, and the
// files that have no object.
func (a *account) compare(ctx context.Context, bucket, prefix string, f folder) (wrong []string, err error) {
	all, err := a.objects(ctx, bucket, prefix)
	if err != nil {
		return nil, err
	}
	left := map[string]bool{}
	for name := range f.files {
		left[name] = true
	}
	for _, o := range all {
		name := strings.TrimPrefix(o.key, prefix)
		same, err := a.same(ctx, bucket, o.key, filepath.Join(f.path, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		if !same || !left[name] {
			wrong = append(wrong, o.key)
		}
		delete(left, name)
	}
	for name := range left {
		wrong = append(wrong, name)
	}
	slices.Sort(wrong)
	return wrong, nil
}

func (a *account) same(ctx context.Context, bucket, key, file string) (bool, error) {
	local, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	got, err := a.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return false, fmt.Errorf("read %s: %w", key, err)
	}
	defer got.Body.Close()
	remote, err := io.ReadAll(got.Body)
	if err != nil {
		return false, fmt.Errorf("read %s: %w", key, err)
	}
	return bytes.Equal(local, remote), nil
}

func (a *account) attach(ctx context.Context, user string) error {
	_, err := a.iam.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: &user, PolicyArn: aws.String(fullAccess)})
	if err != nil {
		return fmt.Errorf("attach %s to %s: %w", fullAccess, user, err)
	}
	return nil
}

// plain makes a bucket and a user as the README of old did, and writes the
// user's key into a credentials file.
func (a *account) plain(ctx context.Context, bucket, user, file string) error {
	if _, err := a.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		return fmt.Errorf("make the bucket %s: %w", bucket, err)
	}
	if _, err := a.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: &user}); err != nil {
		return fmt.Errorf("make the user %s: %w", user, err)
	}
	if err := a.attach(ctx, user); err != nil {
		return err
	}
	made, err := a.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &user})
	if err != nil {
		return fmt.Errorf("make a key for %s: %w", user, err)
	}
	return writeFile(file, fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
		aws.ToString(made.AccessKey.AccessKeyId), aws.ToString(made.AccessKey.SecretAccessKey)))
}
