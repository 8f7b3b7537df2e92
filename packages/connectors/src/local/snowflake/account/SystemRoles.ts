import type { Account } from "./Account.ts"

/** The roles that every account has, with what they may do. */
export const createSystemRoles = (account: Account): void => {
  account.create({ kind: "ACCOUNT", name: account.name, label: account.name, owner: "ACCOUNTADMIN" })
  const createdMs = account.nowMs()
  for (const label of ["ACCOUNTADMIN", "SECURITYADMIN", "USERADMIN", "SYSADMIN", "PUBLIC"]) {
    account.create({ kind: "ROLE", name: label, label, owner: "" })
  }
  for (const [role, grantee] of [
    ["SECURITYADMIN", "ACCOUNTADMIN"],
    ["SYSADMIN", "ACCOUNTADMIN"],
    ["USERADMIN", "SECURITYADMIN"]
  ] as const) {
    account.grants.enrol({ role, to: "ROLE", grantee, grantedBy: "", createdMs })
  }
  for (const [privilege, grantee] of [
    ["CREATE DATABASE", "SYSADMIN"],
    ["CREATE WAREHOUSE", "SYSADMIN"],
    ["MANAGE GRANTS", "SECURITYADMIN"],
    ["CREATE ROLE", "USERADMIN"],
    ["CREATE USER", "USERADMIN"]
  ] as const) {
    account.grants.grant({
      privilege,
      kind: "ACCOUNT",
      name: account.name,
      grantee,
      grantedBy: "",
      grantOption: true,
      createdMs
    })
  }
}
