import type { Kind, Securable } from "./Securable.ts"

/** A privilege of a role on an object. */
export interface Grant {
  readonly privilege: string
  readonly kind: Kind
  readonly name: string
  readonly grantee: string
  readonly grantedBy: string
  readonly grantOption: boolean
  readonly createdMs: number
}

/** A role that a user or another role has. */
export interface Membership {
  readonly role: string
  readonly to: "ROLE" | "USER"
  readonly grantee: string
  readonly grantedBy: string
  readonly createdMs: number
}

/** A privilege that objects of a kind get when they are created in a schema or database. */
export interface FutureGrant {
  readonly privilege: string
  readonly kind: Kind
  readonly scope: "DATABASE" | "SCHEMA"
  readonly name: string
  readonly grantee: string
  readonly createdMs: number
}

/** Who may do what: privileges, memberships and what follows from them by inheritance. */
export class Grants {
  #grants: Array<Grant> = []
  #memberships: Array<Membership> = []
  #future: Array<FutureGrant> = []

  get all(): ReadonlyArray<Grant> {
    return this.#grants
  }

  get memberships(): ReadonlyArray<Membership> {
    return this.#memberships
  }

  get future(): ReadonlyArray<FutureGrant> {
    return this.#future
  }

  grant(grant: Grant): void {
    this.revoke(grant)
    this.#grants.push(grant)
  }

  revoke({ privilege, kind, name, grantee }: Pick<Grant, "privilege" | "kind" | "name" | "grantee">): void {
    this.#grants = this.#grants.filter(
      (other) =>
        other.privilege !== privilege || other.kind !== kind || other.name !== name || other.grantee !== grantee
    )
  }

  enrol(membership: Membership): void {
    this.expel(membership)
    this.#memberships.push(membership)
  }

  expel({ role, to, grantee }: Pick<Membership, "role" | "to" | "grantee">): void {
    this.#memberships = this.#memberships.filter(
      (other) => other.role !== role || other.to !== to || other.grantee !== grantee
    )
  }

  promise(future: FutureGrant): void {
    this.retract(future)
    this.#future.push(future)
  }

  retract({ privilege, kind, scope, name, grantee }: Omit<FutureGrant, "createdMs">): void {
    this.#future = this.#future.filter(
      (other) =>
        other.privilege !== privilege ||
        other.kind !== kind ||
        other.scope !== scope ||
        other.name !== name ||
        other.grantee !== grantee
    )
  }

  /** Gives a new object what future grants promise: those of its schema, else those of its database. */
  fulfil(securable: Securable, schemaName: string, databaseName: string): void {
    const matching = (scope: FutureGrant["scope"], name: string) =>
      this.#future.filter((future) => future.kind === securable.kind && future.scope === scope && future.name === name)
    const ofSchema = matching("SCHEMA", schemaName)
    // Grants on a schema hide those on its database for the same kind of object.
    for (const { privilege, grantee } of ofSchema.length > 0 ? ofSchema : matching("DATABASE", databaseName)) {
      this.grant({
        privilege,
        kind: securable.kind,
        name: securable.name,
        grantee,
        grantedBy: securable.owner,
        grantOption: false,
        createdMs: securable.createdMs
      })
    }
  }

  /** Forgets what is known of an object that was dropped. */
  forget({ kind, name }: Pick<Securable, "kind" | "name">): void {
    this.#grants = this.#grants.filter((grant) => grant.kind !== kind || grant.name !== name)
    if (kind === "SCHEMA" || kind === "DATABASE") {
      this.#future = this.#future.filter((future) => future.scope !== kind || future.name !== name)
    }
    if (kind === "ROLE") {
      this.#grants = this.#grants.filter(({ grantee }) => grantee !== name)
      this.#future = this.#future.filter(({ grantee }) => grantee !== name)
      this.#memberships = this.#memberships.filter(
        ({ role, to, grantee }) => role !== name && (to === "USER" || grantee !== name)
      )
    }
    if (kind === "USER") {
      this.#memberships = this.#memberships.filter(({ to, grantee }) => to === "ROLE" || grantee !== name)
    }
  }

  /** A role with all roles granted to it, however far, and PUBLIC. */
  inherited(role: string): ReadonlySet<string> {
    const found = new Set([role])
    for (const each of found) {
      for (const { to, grantee, role: granted } of this.#memberships) {
        if (to === "ROLE" && grantee === each) found.add(granted)
      }
    }
    return found.add("PUBLIC")
  }

  /** Roles that a user may use: those granted to the user and what they inherit. */
  rolesOf(user: string): ReadonlySet<string> {
    const granted = this.#memberships.filter(({ to, grantee }) => to === "USER" && grantee === user)
    return new Set(["PUBLIC", ...granted.flatMap(({ role }) => [...this.inherited(role)])])
  }

  /** Whether a role has a privilege on an object, its owner all. */
  has(
    role: string,
    securable: Pick<Securable, "kind" | "name" | "owner">,
    ...privileges: ReadonlyArray<string>
  ): boolean {
    const roles = this.inherited(role)
    if (roles.has(securable.owner)) return true
    return this.#grants.some(
      ({ kind, name, privilege, grantee }) =>
        kind === securable.kind && name === securable.name && roles.has(grantee) && privileges.includes(privilege)
    )
  }

  /** Whether a role has any privilege on an object, so that it may know of it. */
  sees(role: string, securable: Pick<Securable, "kind" | "name" | "owner">): boolean {
    const roles = this.inherited(role)
    return (
      roles.has(securable.owner) ||
      this.#grants.some(
        ({ kind, name, grantee }) => kind === securable.kind && name === securable.name && roles.has(grantee)
      )
    )
  }
}
