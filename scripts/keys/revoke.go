package main

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// revoke deletes one key of an uploader, all its keys, or those of every
// uploader, and says what ended with them. It goes on past a fault and gives
// them all at the end.
func (k *keys) revoke(ctx context.Context, name, id string, all bool, stack string) error {
	switch {
	case all && name != "":
		return k.misuse("name-or-all")
	case !all && name == "":
		return k.misuse("revoke-whose")
	}
	users := []uploader{{name: name}}
	if all {
		id = ""
		var err error
		if users, err = k.users(ctx); err != nil {
			return err
		}
		if len(users) == 0 {
			k.say("nobody", "path", k.path)
			return nil
		}
	}
	var errs []error
	for _, user := range users {
		errs = append(errs, k.revokeOne(ctx, user.name, id))
	}
	if err := errors.Join(errs...); err != nil || k.dry {
		return err
	}
	k.sessions(ctx, stack)
	return nil
}

// sessions says what became of sessions that somebody made from the keys before
// (GetSessionToken): AWS can't take them back, they last up to 36 hours, and only
// the guard stops them.
func (k *keys) sessions(ctx context.Context, stack string) {
	l, err := k.readLive(ctx, k.aws, stack)
	switch {
	case err != nil:
		k.say("sessions-unread", "stack", stack, "error", plain(err))
	case l == nil:
		k.say("sessions-no-stack", "stack", stack)
	case l.template.refusesSessions():
		k.say("sessions-end")
	default:
		k.say("sessions-live")
	}
}

// revokeOne deletes the key with that id, or with "" all keys of the uploader.
func (k *keys) revokeOne(ctx context.Context, name, id string) error {
	have, err := k.keysOf(ctx, name)
	if err != nil {
		return err
	}
	if len(have) == 0 {
		k.say("no-keys", "name", name)
		return nil
	}
	if id != "" {
		have = slices.DeleteFunc(have, func(key types.AccessKeyMetadata) bool { return aws.ToString(key.AccessKeyId) != id })
		if len(have) == 0 {
			return k.fault("no-such-key", "name", name, "key", id)
		}
	}
	var errs []error
	for _, key := range have {
		errs = append(errs, k.delete(ctx, name, aws.ToString(key.AccessKeyId)))
	}
	return errors.Join(errs...)
}

// uploader is a user or role under the path.
type uploader struct{ name, arn string }

// users gives the users under the path itself, not in paths below.
func (k *keys) users(ctx context.Context) ([]uploader, error) {
	var all []uploader
	pages := iam.NewListUsersPaginator(k.iam, &iam.ListUsersInput{PathPrefix: &k.path})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, k.fault("list-users", "path", k.path, "error", err)
		}
		for _, user := range page.Users {
			if aws.ToString(user.Path) == k.path {
				all = append(all, uploader{aws.ToString(user.UserName), aws.ToString(user.Arn)})
			}
		}
	}
	return all, nil
}
