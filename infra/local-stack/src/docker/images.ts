/** The images, each in an exact version. */
export const images = {
  postgres: 'postgres:17.10',
  redis: 'redis:8.8.0',
  postgrest: 'postgrest/postgrest:v14.10',
  auth: 'supabase/gotrue:v2.190.0',
} as const
